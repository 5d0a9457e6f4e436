package store_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/audit"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

func leaving(state secret.String, loginID string) store.UpstreamLogin {
	return store.UpstreamLogin{Hash: secret.Hash(state), LoginID: loginID, BrowserHash: []byte("browser"), Upstream: "partner", Nonce: "nonce", Verifier: "verifier",
		MinAuthTime: 7, LinkUserID: "u", ExpiresAt: time.Now().Add(time.Hour).UnixMilli()}
}

// TestHoleUpstreamStateUsedTwice: a state is good once, in its browser, at its upstream.
func TestHoleUpstreamStateUsedTwice(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		ctx := t.Context()
		state := secret.Token()
		put := leaving(state, "login")
		if err := st.PutUpstreamLogin(ctx, put); err != nil {
			t.Fatal(err)
		}
		for _, wrong := range []struct {
			hash, browser []byte
			upstream      string
		}{{put.Hash, []byte("other"), "partner"}, {put.Hash, put.BrowserHash, "other"}, {secret.Hash("other"), put.BrowserHash, "partner"}} {
			if _, err := st.TakeUpstreamLogin(ctx, wrong.hash, wrong.browser, wrong.upstream); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%+v: %v", wrong, err)
			}
		}
		var won atomic.Int64
		var all sync.WaitGroup
		for range 64 {
			all.Go(func() {
				got, err := st.TakeUpstreamLogin(ctx, put.Hash, put.BrowserHash, "partner")
				switch {
				case err == nil && got.Nonce == "nonce" && got.Verifier == "verifier" && got.LoginID == "login" && got.MinAuthTime == 7 && got.LinkUserID == "u" && bytes.Equal(got.Hash, put.Hash):
					won.Add(1)
				case !errors.Is(err, store.ErrNotFound):
					t.Errorf("%+v, %v", got, err)
				}
			})
		}
		all.Wait()
		if won.Load() != 1 {
			t.Errorf("%d of 64 used the state", won.Load())
		}
	})
}

// TestOneUpstreamLoginOfALoginRequest: who presses the button again leaves again, and
// keeps no more rows than login requests.
func TestOneUpstreamLoginOfALoginRequest(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		first, second, late := leaving("first", "login"), leaving("second", "login"), leaving("late", "other")
		late.ExpiresAt = time.Now().Add(-time.Second).UnixMilli()
		for _, u := range []store.UpstreamLogin{first, second, late} {
			if err := st.PutUpstreamLogin(t.Context(), u); err != nil {
				t.Fatal(err)
			}
		}
		for _, over := range []store.UpstreamLogin{first, late} {
			if _, err := st.TakeUpstreamLogin(t.Context(), over.Hash, over.BrowserHash, "partner"); !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		}
		if n, err := st.Sweep(t.Context()); n != 1 || err != nil {
			t.Errorf("%d swept, %v", n, err)
		}
		if _, err := st.TakeUpstreamLogin(t.Context(), second.Hash, second.BrowserHash, "partner"); err != nil {
			t.Error(err)
		}
	})
}

// TestNobodyDropsTheirLastIdentity: not even by dropping two at once.
func TestNobodyDropsTheirLastIdentity(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		one := store.Identity{Source: "upstream:https://a.example", Key: "1"}
		u, err := st.CreateUser(t.Context(), store.User{Name: "a:jane"}, &one, store.Entry{})
		if err != nil {
			t.Fatal(err)
		}
		one.UserID = u.ID
		two := store.Identity{Source: "upstream:https://b.example", Key: "1", UserID: u.ID}
		if err := st.LinkIdentity(t.Context(), two, store.Entry{}); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for _, id := range []store.Identity{one, two} {
			all.Go(func() {
				if err := st.DropIdentity(t.Context(), id, store.Entry{Actor: "a:jane"}); err != nil && !errors.Is(err, store.ErrLast) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		left, err := st.IdentitiesOf(t.Context(), u.ID)
		if err != nil || len(left) != 1 {
			t.Fatalf("%+v, %v: want one left", left, err)
		}
		if err := st.DropIdentity(t.Context(), left[0], store.Entry{}); !errors.Is(err, store.ErrLast) {
			t.Errorf("the last: %v", err)
		}
		left[0].UserID = "somebody"
		if err := st.DropIdentity(t.Context(), left[0], store.Entry{}); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("somebody else's: %v", err)
		}
	})
}

// TestSessionsOfAnUpstreamEnd: by sub, by its session alone, and by both; and no others.
func TestSessionsOfAnUpstreamEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		const issuer = "https://a.example"
		id := store.Identity{Source: store.SourceUpstream + issuer, Key: "jane"}
		u, err := st.CreateUser(t.Context(), store.User{Name: "a:jane"}, &id, store.Entry{})
		if err != nil {
			t.Fatal(err)
		}
		start := func(from store.UpstreamSession) {
			t.Helper()
			end := time.Now().Add(time.Hour).UnixMilli()
			s := store.Session{ID: secret.ID(), SecretHash: secret.Bytes(32), UserID: u.ID, ACR: "1", IdleExpiresAt: end, ExpiresAt: end, Upstream: from}
			if err := st.StartSession(t.Context(), store.StartSession{Session: s, Entry: store.Entry{}}); err != nil {
				t.Fatal(err)
			}
		}
		start(store.UpstreamSession{})
		start(store.UpstreamSession{ID: "b", Issuer: "https://b.example", Subject: "jane", SID: "s%1"})
		for _, sid := range []string{"s%1", "s_2", "sx2", "s3"} {
			start(store.UpstreamSession{ID: "a", Issuer: issuer, Subject: "jane", SID: sid})
		}
		spent, until := secret.Bytes(32), time.Now().Add(time.Minute)
		if _, err := st.EndUpstreamSessions(t.Context(), store.UpstreamSession{Issuer: issuer}, spent, until, store.Entry{}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			from store.UpstreamSession
			want int
		}{
			{store.UpstreamSession{Issuer: issuer}, 0},
			{store.UpstreamSession{Issuer: issuer, Subject: "john"}, 0},
			{store.UpstreamSession{Issuer: issuer, Subject: "jane", SID: "other"}, 0},
			{store.UpstreamSession{Issuer: issuer, SID: "s_2"}, 1},
			{store.UpstreamSession{Issuer: issuer, Subject: "jane", SID: "s%1"}, 1},
			{store.UpstreamSession{Issuer: issuer, Subject: "jane"}, 2},
		} {
			for what, call := range [][]byte{spent, secret.Bytes(32)} { // a token counts once
				want := what * c.want
				if n, err := st.EndUpstreamSessions(t.Context(), c.from, call, until, store.Entry{Actor: "upstream:a"}); n != want || err != nil {
					t.Errorf("%+v, token %d: %d ended, %v, want %d", c.from, what, n, err, want)
				}
			}
		}
		if left, err := st.SessionsOf(t.Context(), u.ID); err != nil || len(left) != 2 {
			t.Errorf("%+v, %v", left, err)
		}
	})
}

// TestHoleGroupsOutliveTheLogin: what a login elsewhere has given goes with it, however
// it goes; what another one gives, or an administrator, stays.
func TestHoleGroupsOutliveTheLogin(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		one := store.Identity{Source: "upstream:https://a.example", Key: "1", Groups: []string{"staff", "a"}}
		u, err := st.CreateUser(t.Context(), store.User{Name: "a:jane", PasswordHash: "x", Groups: []string{"own", "staff", "a", "b"}}, &one, store.Entry{})
		if err != nil {
			t.Fatal(err)
		}
		one.UserID = u.ID
		two := store.Identity{Source: "upstream:https://b.example", Key: "1", UserID: u.ID}
		if err := st.LinkIdentity(t.Context(), two, store.Entry{}); err != nil {
			t.Fatal(err)
		}
		two.Groups = []string{"staff", "b"}
		if err := st.UseIdentity(t.Context(), two); err != nil { // as at its next login
			t.Fatal(err)
		}
		want := func(what string, err error, groups ...string) {
			t.Helper()
			now, findErr := st.UserByID(t.Context(), u.ID)
			if err != nil || findErr != nil || !slices.Equal(now.Groups, groups) {
				t.Errorf("%s: %q, %v, %v, want %q", what, now.Groups, err, findErr, groups)
			}
		}
		want("by its user", st.DropIdentity(t.Context(), one, store.Entry{Actor: "a:jane"}), "own", "staff", "b")
		want("by an administrator", st.UnlinkIdentity(t.Context(), two, store.Entry{Actor: "cli:root"}), "own")
		entries, err := st.Entries(t.Context(), store.Filter{UserID: u.ID, Event: audit.UserChanged})
		if err != nil || len(entries) != 2 || entries[0].Actor != "cli:root" || entries[0].Detail != `{"groups":["own"]}` {
			t.Errorf("audit: %+v, %v", entries, err)
		}
	})
}
