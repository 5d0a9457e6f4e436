package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/store"
	"idp/internal/store/database"
)

func TestUsersComeBackAsTheyWereStored(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		empty, err := w.Empty(ctx)
		if err != nil || !empty {
			t.Fatalf("Empty = %v, %v", empty, err)
		}
		u, err := w.CreateUser(ctx, store.User{
			Name: "alice", FullName: "Alice Ärger", Email: "a@example.com", EmailVerified: true, PasswordHash: "$argon2id$",
			Groups: []string{"staff", `odd "group"`}, Admin: true,
		}, &store.Identity{Source: "kerberos:EXAMPLE.COM", Key: "00123"}, store.Entry{Actor: "cli:root"})
		must(t, err)
		for name, find := range map[string]func() (*store.User, error){
			"id":       func() (*store.User, error) { return w.UserByID(ctx, u.ID) },
			"name":     func() (*store.User, error) { return w.UserByName(ctx, "alice") },
			"identity": func() (*store.User, error) { return w.UserByIdentity(ctx, "kerberos:EXAMPLE.COM", "00123") },
		} {
			got, err := find()
			must(t, err)
			if d := cmp.Diff(&u, got); d != "" {
				t.Errorf("by %s: %s", name, d)
			}
		}
		_, err = w.UserByIdentity(ctx, "kerberos:EXAMPLE.COM", "123")
		want(t, err, store.ErrNotFound)
		_, err = w.UserByName(ctx, "Alice")
		want(t, err, store.ErrNotFound)
		if empty, _ := w.Empty(ctx); empty {
			t.Error("Empty with a user in it")
		}
	})
}

// TestHoleNamesOfOnePersonToAnApplication: many an application ignores case, and takes Bob for
// bob.
func TestHoleNamesOfOnePersonToAnApplication(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, name := range []string{"bob", "Carol"} {
			_, err := w.CreateUser(ctx, store.User{Name: name}, nil, store.Entry{})
			must(t, err)
		}
		for name, holder := range map[string]string{"BOB": "bob", "bob": "bob", "carol": "Carol", "b_b": "", "bob2": ""} {
			got, err := w.NameHolder(ctx, name)
			if holder == "" {
				want(t, err, store.ErrNotFound)
				continue
			}
			must(t, err)
			if got != holder {
				t.Errorf("%s is held by %q, want %q", name, got, holder)
			}
			_, err = w.CreateUser(ctx, store.User{Name: name}, &store.Identity{Source: "kerberos:R", Key: "name:" + name}, store.Entry{})
			want(t, err, store.ErrConflict)
			_, err = w.UserByIdentity(ctx, "kerberos:R", "name:"+name)
			want(t, err, store.ErrNotFound)
		}
	})
}

func TestTakenNamesAndIdentitiesAreConflictsAndLeaveNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		id := store.Identity{Source: "upstream:x", Key: "1"}
		_, err := w.CreateUser(ctx, store.User{Name: "alice"}, &id, store.Entry{})
		must(t, err)
		_, err = w.CreateUser(ctx, store.User{Name: "alice"}, nil, store.Entry{})
		want(t, err, store.ErrConflict)
		_, err = w.CreateUser(ctx, store.User{Name: "bob"}, &id, store.Entry{})
		want(t, err, store.ErrConflict)
		_, err = w.UserByName(ctx, "bob")
		want(t, err, store.ErrNotFound)
		if d := cmp.Diff([]string{"user_added"}, sorted(w.events())); d != "" {
			t.Error(d)
		}
	})
}

func TestUsersArePagedByName(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, name := range []string{"c", "a", "b"} {
			w.user(name)
		}
		page, err := w.Users(t.Context(), "", 2)
		must(t, err)
		rest, err := w.Users(t.Context(), page[1].Name, 2)
		must(t, err)
		var names []string
		for _, u := range append(page, rest...) {
			names = append(names, u.Name)
		}
		if d := cmp.Diff([]string{"a", "b", "c"}, names); d != "" {
			t.Error(d)
		}
	})
}

func TestEveryChangeOfAUserLeavesATrace(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.user("alice")
		must(t, w.SetPassword(ctx, u.ID, "$new", store.Entry{Actor: "alice"}))
		must(t, w.RehashPassword(ctx, u.ID, "$new", "$rehash")) // the same password: no trace
		must(t, w.RehashPassword(ctx, u.ID, "$new", "$late"))
		must(t, w.SetAdmin(ctx, u.ID, true, store.Entry{}))
		must(t, w.SetProfile(ctx, u.ID, "Alice", "a@b", []string{"x"}, store.Entry{}))
		must(t, w.SetProfile(ctx, u.ID, "Alice", "a@b", []string{"x"}, store.Entry{})) // nothing new: no trace
		must(t, w.SetDisabled(ctx, u.ID, true, store.Entry{}))
		must(t, w.SetDisabled(ctx, u.ID, false, store.Entry{}))
		wantEvents := sorted([]string{"user_added", "password_changed", "user_admin", "user_changed", "user_disabled", "user_enabled"})
		if d := cmp.Diff(wantEvents, sorted(w.events())); d != "" {
			t.Error(d)
		}
		got, err := w.UserByID(ctx, u.ID)
		must(t, err)
		if got.PasswordHash != "$rehash" || !got.Admin || got.FullName != "Alice" || got.Email != "a@b" || !slices.Equal(got.Groups, []string{"x"}) {
			t.Errorf("got %+v", got)
		}
		for name, err := range map[string]error{
			"password": w.SetPassword(ctx, "x", "", store.Entry{}), "admin": w.SetAdmin(ctx, "x", true, store.Entry{}),
			"disabled": w.SetDisabled(ctx, "x", true, store.Entry{}), "profile": w.SetProfile(ctx, "x", "", "", nil, store.Entry{}),
		} {
			if !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s of an unknown user: %v", name, err)
			}
		}
	})
}

func TestANewMailAddressIsNotVerified(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		u, err := w.CreateUser(t.Context(), store.User{Name: "a", Email: "old@x", EmailVerified: true}, nil, store.Entry{})
		must(t, err)
		for _, step := range []struct {
			email    string
			verified bool
		}{{"old@x", true}, {"new@x", false}, {"old@x", false}} {
			must(t, w.SetProfile(t.Context(), u.ID, step.email, step.email, nil, store.Entry{}))
			got, err := w.UserByID(t.Context(), u.ID)
			must(t, err)
			if got.EmailVerified != step.verified {
				t.Errorf("%s: verified = %v", step.email, got.EmailVerified)
			}
		}
	})
}

func TestDisablingEndsEverythingAndEnablingBringsNothingBack(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		u := w.user("alice")
		sess := w.login(u)
		code := w.code(sess)
		grant, offline := w.granted(sess, false), w.granted(sess, true)
		must(t, w.SetDisabled(ctx, u.ID, true, store.Entry{}))
		want(t, w.StartSession(ctx, store.StartSession{Session: w.newSession(u)}), store.ErrNotFound)
		must(t, w.SetDisabled(ctx, u.ID, false, store.Entry{}))
		_, _, err := w.SessionBySecret(ctx, sess.SecretHash, w.Now())
		want(t, err, store.ErrNotFound)
		_, _, err = w.RedeemCode(ctx, w.redeem(code, false))
		want(t, err, store.ErrNotFound)
		for _, g := range []*store.Grant{grant, offline} {
			_, _, err = w.TokenState(ctx, g.ID, "jti", w.Now())
			want(t, err, store.ErrNotFound)
			_, _, _, err = w.RotateRefresh(ctx, w.rotate(g, 0))
			want(t, err, store.ErrNotFound)
		}
	})
}

// PostgreSQL cannot store a NUL, and SQLite would: the same name would be two
// users on one and an internal error on the other.
func TestTextThatIsNotTextNeverReachesTheDatabase(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, bad := range []string{"a\x00b", "a\xff", strings.Repeat("a", 1<<20+1)} {
			_, err := w.CreateUser(ctx, store.User{Name: bad}, nil, store.Entry{Name: "x"})
			want(t, err, database.ErrText)
			_, err = w.UserByName(ctx, bad)
			want(t, err, store.ErrNotFound)
			r := w.redeem(store.Code{Hash: []byte{1}, RedirectURI: bad}, false)
			_, _, err = w.RedeemCode(ctx, r)
			want(t, err, store.ErrNotFound)
			l := w.pending([]byte{1})
			l.Params = bad
			want(t, w.CreateLoginRequest(ctx, l), database.ErrText)
		}
	})
}

func TestAFailedLoginWithAnImpossibleNameIsStillWrittenDown(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		must(t, w.Audit(t.Context(), store.Entry{Event: "login_failed", Name: "a\x00b\xff" + strings.Repeat("x", 5000)}))
		list, err := w.Entries(t.Context(), store.Filter{})
		must(t, err)
		if len(list) != 1 || !strings.HasPrefix(list[0].Name, "a\uFFFDb\uFFFDx") || len(list[0].Name) > 1100 {
			t.Errorf("got %+v", list)
		}
	})
}

// A caller that writes one entry for several changes, or the wrong one, cannot
// have the log tell another story.
func TestTheEventIsTheChangesOwn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, e := t.Context(), store.Entry{Event: "login", Actor: "mallory"}
		u, err := w.CreateUser(ctx, store.User{Name: "alice"}, nil, e)
		must(t, err)
		must(t, w.SetDisabled(ctx, u.ID, true, e))
		must(t, w.AddClient(ctx, store.Client{ClientID: "wiki"}, e))
		must(t, w.RemoveClient(ctx, "wiki", e))
		must(t, w.AddSigningKey(ctx, store.SigningKey{Kid: "k"}, e))
		must(t, w.RetireSigningKey(ctx, "k", 1, 2, e))
		wantEvents := sorted([]string{"user_added", "user_disabled", "client_added", "client_removed", "key_added", "key_retired"})
		if d := cmp.Diff(wantEvents, sorted(w.events())); d != "" {
			t.Error(d)
		}
	})
}

func TestAuditEntriesSortByTimeAndFilter(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, e := range []store.Entry{{Event: "one", UserID: "u"}, {Event: "two"}, {Event: "three", UserID: "u"}, {Event: "two", UserID: "u"}} {
			must(t, w.Audit(ctx, e))
			w.pass(time.Millisecond)
		}
		if d := cmp.Diff([]string{"two", "three", "two", "one"}, w.events()); d != "" {
			t.Error(d)
		}
		list, err := w.Entries(ctx, store.Filter{UserID: "u", Limit: 2})
		must(t, err)
		rest, err := w.Entries(ctx, store.Filter{UserID: "u", Before: list[1].ID})
		must(t, err)
		two, err := w.Entries(ctx, store.Filter{Event: "two"})
		must(t, err)
		if len(list) != 2 || len(rest) != 1 || rest[0].Event != "one" || len(two) != 2 {
			t.Errorf("pages %d %d, by event %d", len(list), len(rest), len(two))
		}
	})
}

func TestSettingsFirstOneWins(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		_, err := w.Setting(ctx, "x")
		want(t, err, store.ErrNotFound)
		first, err := w.PutSettingOnce(ctx, "x", []byte("00123"))
		must(t, err)
		second, err := w.PutSettingOnce(ctx, "x", []byte("2"))
		must(t, err)
		must(t, w.PutSetting(ctx, "y", nil))
		must(t, w.PutSetting(ctx, "y", []byte{0, 255}))
		must(t, w.ReplaceSetting(ctx, "y", []byte("not it"), []byte("late"))) // another node was first
		y, err := w.Setting(ctx, "y")
		must(t, err)
		must(t, w.ReplaceSetting(ctx, "x", first, []byte("3")))
		x, err := w.Setting(ctx, "x")
		must(t, err)
		if string(x) != "3" || string(first) != "00123" || string(second) != "00123" || string(y) != "\x00\xff" {
			t.Errorf("got %q %q %q %q", first, second, x, y)
		}
	})
}

func TestLeaseIsOneNodesAtATime(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for i, step := range []struct {
			holder string
			pass   time.Duration
			got    bool
		}{{"a", 0, true}, {"b", 0, false}, {"a", 0, true}, {"b", 59 * time.Second, false}, {"b", time.Second, true}, {"a", 0, false}} {
			w.pass(step.pass)
			got, err := w.Lease(t.Context(), "work", step.holder, time.Minute)
			if err != nil || got != step.got {
				t.Errorf("step %d: %v, %v", i, got, err)
			}
		}
	})
}

func TestClientsComeBackAndTakeTheirGrantsAlong(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		no := false
		c := store.Client{ClientID: "wiki", ClientName: "Wiki", SecretHashes: [][]byte{{1, 2}}, RedirectURIs: []string{"https://x/"}, Trusted: &no}
		must(t, w.AddClient(ctx, c, store.Entry{}))
		want(t, w.AddClient(ctx, c, store.Entry{}), store.ErrConflict)
		got, err := w.ClientByID(ctx, "wiki")
		must(t, err)
		c.CreatedAt, c.UpdatedAt = w.Now(), w.Now()
		if d := cmp.Diff(&c, got); d != "" {
			t.Error(d)
		}
		grant := w.granted(w.login(w.user("alice")), true)
		must(t, w.RemoveClient(ctx, "wiki", store.Entry{}))
		want(t, w.RemoveClient(ctx, "wiki", store.Entry{}), store.ErrNotFound)
		_, _, err = w.TokenState(ctx, grant.ID, "", w.Now())
		want(t, err, store.ErrNotFound)
		list, err := w.Clients(ctx)
		if err != nil || len(list) != 0 {
			t.Errorf("left: %v, %v", list, err)
		}
	})
}

func TestSigningKeysLiveUntilTheyExpire(t *testing.T) {
	for _, alg := range []string{"ES256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) { testSigningKeysLiveUntilTheyExpire(t, alg) })
	}
}

// The previous release reads all of signing_keys and does not start over an
// algorithm that it does not know; and a schema of its own has no other table.
func TestThePreviousReleaseMeetsOnlyAlgorithmsItKnows(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, alg := range []string{"EdDSA", "RS256", "PS256", "ES256", "ML-DSA-65"} {
			must(t, w.AddSigningKey(ctx, store.SigningKey{Kid: alg, Algorithm: alg, Sealed: []byte{1}}, store.Entry{}))
		}
		kids := func(all []store.SigningKey, err error) (kids []string) {
			must(t, err)
			for _, k := range all {
				kids = append(kids, k.Kid)
			}
			return kids
		}
		if d := cmp.Diff([]string{"ES256", "EdDSA", "ML-DSA-65", "PS256", "RS256"}, slices.Sorted(slices.Values(kids(w.SigningKeys(ctx))))); d != "" {
			t.Error("this release:", d)
		}
		must(t, w.Write(ctx, func(x store.Tx) error {
			_, err := x.Exec(`DROP TABLE optional_signing_keys`)
			return err
		}))
		if d := cmp.Diff([]string{"ES256", "RS256"}, kids(w.another().SigningKeys(ctx))); d != "" {
			t.Error("the previous one:", d)
		}
	})
}

func testSigningKeysLiveUntilTheyExpire(t *testing.T, alg string) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		k := store.SigningKey{Kid: "k1", Algorithm: alg, Sealed: []byte{0, 1, 255}, CreatedAt: 1, ActiveAt: 2}
		must(t, w.AddSigningKey(ctx, k, store.Entry{}))
		want(t, w.AddSigningKey(ctx, k, store.Entry{}), store.ErrConflict)
		must(t, w.DeleteSigningKeys(ctx, w.Now()))
		list, err := w.SigningKeys(ctx)
		must(t, err)
		if d := cmp.Diff([]store.SigningKey{k}, list); d != "" {
			t.Error(d)
		}
		if empty, _ := w.Empty(ctx); empty && alg == "ES256" { // which every database has that has another
			t.Error("Empty with a key in it")
		}
		must(t, w.ResealSigningKey(ctx, "k1", []byte("another's"), []byte("late"))) // another node was first
		must(t, w.ResealSigningKey(ctx, "k1", k.Sealed, []byte("new")))
		if list, _ = w.SigningKeys(ctx); string(list[0].Sealed) != "new" {
			t.Errorf("sealed anew: %q", list[0].Sealed)
		}
		must(t, w.RetireSigningKey(ctx, "k1", 10, 20, store.Entry{}))
		want(t, w.RetireSigningKey(ctx, "k2", 10, 20, store.Entry{}), store.ErrNotFound)
		must(t, w.DeleteSigningKeys(ctx, 20))
		if list, _ = w.SigningKeys(ctx); len(list) != 1 {
			t.Error("deleted while published")
		}
		must(t, w.DeleteSigningKeys(ctx, 21))
		if list, _ = w.SigningKeys(ctx); len(list) != 0 {
			t.Error("still there")
		}
	})
}

func TestACallerWhoHasGoneChangesNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := w.CreateUser(ctx, store.User{Name: "alice"}, nil, store.Entry{})
		want(t, err, context.Canceled)
		_, err = w.UserByName(ctx, "alice")
		want(t, err, context.Canceled)
		_, err = w.UserByName(t.Context(), "alice")
		want(t, err, store.ErrNotFound)
		must(t, w.Ping(t.Context()))
	})
}

func sorted(list []string) []string {
	slices.Sort(list)
	return list
}
