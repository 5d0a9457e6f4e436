package authn

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/argon2"

	"idp/internal/kerberos"
	"idp/internal/kerberos/pac"
	"idp/internal/kerberos/wire"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
	"idp/internal/user"
)

// kdc is a KDC whose answers the test decides: faults that a real one will not
// make on demand. What a real KDC does is tested through the front door.
type kdc struct {
	asked   atomic.Int64
	changed secret.String // the last new password
	expired secret.String // right, and must be changed
	answer  func(kerberos.Name, secret.String) (*kerberos.Login, error)
}

func (k *kdc) CheckPassword(ctx context.Context, n kerberos.Name, p secret.String) (*kerberos.Login, error) {
	k.asked.Add(1)
	if k.expired != "" && p == k.expired {
		return nil, reason.Refuse(reason.PasswordExpired, "")
	}
	login, err := k.answer(n, p)
	if ctx.Err() != nil { // nobody hears the answer
		return nil, ctx.Err()
	}
	return login, err
}

func (k *kdc) ChangePassword(_ context.Context, n kerberos.Name, old, next secret.String) error {
	if old != k.expired {
		return reason.Refuse(reason.BadPassword, "")
	}
	k.changed, k.expired = next, ""
	return nil
}

// AccountOf knows that alice has a userPrincipalName with another name before the @.
func (k *kdc) AccountOf(_ context.Context, n kerberos.Name) (string, error) {
	switch strings.ToLower(n.Name) {
	case "alice", "alice.liddell@example.com":
		return "Alice", nil
	default:
		return "", reason.Refuse(reason.ClientUnknown, "")
	}
}

func refuse(r reason.Code) func(kerberos.Name, secret.String) (*kerberos.Login, error) {
	return func(kerberos.Name, secret.String) (*kerberos.Login, error) { return nil, &reason.Error{Reason: r} }
}

// only accepts one password, with any spelling of the name.
func only(password secret.String) func(kerberos.Name, secret.String) (*kerberos.Login, error) {
	return func(n kerberos.Name, p secret.String) (*kerberos.Login, error) {
		if p != password {
			return nil, &reason.Error{Reason: reason.BadPassword}
		}
		return &kerberos.Login{Principal: wire.Principal{Components: []string{n.Name}, Realm: n.Realm}, EndTime: time.Now().Add(time.Hour)}, nil
	}
}

func newAuthn(t *testing.T, st *store.Store, k *kdc) *Authn {
	t.Helper()
	section := kerberos.DefaultConfig()
	section.Realms = []kerberos.Realm{{Name: "EXAMPLE.TEST", PAC: "optional", NetBIOS: "EXAMPLE", UPNSuffixes: []string{"example.com"}}, {Name: "OTHER.TEST"}}
	a, err := New(Config{Store: st, Ring: secret.NewRing(), Section: section, passwords: k})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var here = policy.From{Address: netip.MustParseAddr("127.0.0.1")}

func reasonOf(err error) reason.Code {
	var e *reason.Error
	if errors.As(err, &e) {
		return e.Reason
	}
	if err == nil {
		return ""
	}
	return reason.Code(fmt.Sprint(err))
}

func TestWrongGuessesAreCountedPerCanonicalName(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		k := &kdc{answer: only("right")}
		a := newAuthn(t, st, k)
		for i, name := range []string{"alice", `example\Alice`, "Alice.Liddell@EXAMPLE.com"} {
			if _, err := a.Password(t.Context(), name, secret.String(fmt.Sprint("wrong", i)), here); reasonOf(err) != reason.BadPassword {
				t.Fatalf("guess %d: %v", i, err)
			}
		}
		if _, err := a.Password(t.Context(), "aLICE@example.TEST", "right", here); reasonOf(err) != reason.TooManyGuesses {
			t.Errorf("fourth guess: %v, want %s", err, reason.TooManyGuesses)
		}
		if n := k.asked.Load(); n != 3 {
			t.Errorf("the KDC was asked %d times, want 3", n)
		}
		if _, err := a.Password(t.Context(), "alice@OTHER.TEST", "right", here); err != nil {
			t.Errorf("another realm's alice is locked too: %v", err)
		}
	})
}

func TestSuccessClearsTheCountAndFaultsDoNotCount(t *testing.T) {
	k := &kdc{answer: only("right")}
	a := newAuthn(t, storetest.Open(t, store.Config{URL: storetest.SQLite(t)}), k)
	for round := range 3 {
		for i := range 2 {
			_, _ = a.Password(t.Context(), "alice", secret.String(fmt.Sprint("wrong", round, i)), here)
		}
		if _, err := a.Password(t.Context(), "alice", "right", here); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	k.answer = refuse(reason.Unreachable)
	for i := range 4 {
		if _, err := a.Password(t.Context(), "alice", secret.String(fmt.Sprint("any", i)), here); reasonOf(err) != reason.Unreachable {
			t.Fatalf("KDC down, try %d: %v", i, err)
		}
	}
}

func TestTheSameWrongPasswordIsNotAskedAgain(t *testing.T) {
	k := &kdc{answer: only("right")}
	a := newAuthn(t, storetest.Open(t, store.Config{URL: storetest.SQLite(t)}), k)
	for range 4 {
		if _, err := a.Password(t.Context(), "alice", "old", here); reasonOf(err) != reason.BadPassword {
			t.Fatal(err)
		}
	}
	if n := k.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

func TestGuessesAtOnceGetNoMoreTries(t *testing.T) {
	storetest.Each(t, func(t *testing.T, st *store.Store) {
		k := &kdc{answer: refuse(reason.BadPassword)}
		a := newAuthn(t, st, k)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() { _, _ = a.Password(t.Context(), "alice", secret.String(fmt.Sprint("guess", i)), here) })
		}
		wg.Wait()
		if n := k.asked.Load(); n != 3 {
			t.Errorf("20 guesses at once: the KDC was asked %d times, want 3", n)
		}
	})
}

func TestUnknownAndWrongAreAlikeAndTakeTheFloor(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	k := &kdc{answer: refuse(reason.ClientUnknown)}
	a := newAuthn(t, st, k)
	hash, err := a.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.CreateUser(t.Context(), store.User{Name: "bob", PasswordHash: hash}, nil, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bob", "nobody", "x@unknown.example", `DOM\x`, "", "name with spaces"} {
		start := time.Now()
		_, err := a.Password(t.Context(), name, "wrong", here)
		if took := time.Since(start); err == nil || took < failureFloor {
			t.Errorf("%q: %v after %s, want a refusal after %s at the earliest", name, err, took, failureFloor)
		}
	}
}

func TestBareNameIsALocalUserFirst(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	k := &kdc{answer: only("from the KDC")}
	a := newAuthn(t, st, k)
	hash, err := a.Hash(t.Context(), "from idp itself")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.CreateUser(t.Context(), store.User{Name: "bob", PasswordHash: hash}, nil, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	if res, err := a.Password(t.Context(), "bob", "from idp itself", here); err != nil || res.Principal != "" {
		t.Errorf("local bob: %+v, %v", res, err)
	}
	if _, err := a.Password(t.Context(), "bob@EXAMPLE.TEST", "from the KDC", here); reasonOf(err) != reason.NameTaken {
		t.Errorf("the realm's bob, whose name is the local bob's: %v, want %s", err, reason.NameTaken)
	}
	if res, err := a.Password(t.Context(), "bob@OTHER.TEST", "from the KDC", here); err != nil || res.User.Name != "bob@OTHER.TEST" {
		t.Errorf("another realm's bob: %+v, %v", res, err)
	}
}

func TestKerberosLoginEndsWithItsTicket(t *testing.T) {
	k := &kdc{answer: only("right")}
	a := newAuthn(t, storetest.Open(t, store.Config{URL: storetest.SQLite(t)}), k)
	res, err := a.Password(t.Context(), "alice", "right", here)
	if err != nil || res.Until.IsZero() || time.Until(res.Until) > time.Hour {
		t.Errorf("until %v (%v), want the ticket's end in an hour", res.Until, err)
	}
}

func TestHashes(t *testing.T) {
	h := user.NewHasher()
	hash, err := h.Hash(t.Context(), "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if ok, rehash, err := h.Verify(t.Context(), hash, "correct horse"); !ok || rehash || err != nil {
		t.Errorf("Verify: %v %v %v", ok, rehash, err)
	}
	if ok, _, _ := h.Verify(t.Context(), hash, "wrong horse"); ok {
		t.Error("a wrong password fits")
	}
	if ok, _, _ := h.Verify(t.Context(), "", ""); ok {
		t.Error("an empty password fits nobody's hash")
	}
	weaker := "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$" // salt of 16 zero bytes, key cut off
	if _, _, err := h.Verify(t.Context(), weaker, "x"); !errors.Is(err, user.ErrHash) {
		t.Errorf("broken hash: %v", err)
	}
	if _, err := h.Hash(t.Context(), "short"); err == nil {
		t.Error("a password of 5 characters was hashed")
	}
}

func TestGroupsComeFromThePACByConfiguration(t *testing.T) {
	k := &kdc{}
	a := newAuthn(t, storetest.Open(t, store.Config{URL: storetest.SQLite(t)}), k)
	a.Section.Realms[0].Groups = map[string]string{"S-1-5-21-1-2-3-1104": "finance", "S-1-5-21-1-2-3-1105": "audit"}
	login := func(groups ...string) *store.User {
		t.Helper()
		k.answer = func(n kerberos.Name, _ secret.String) (*kerberos.Login, error) {
			return &kerberos.Login{Principal: wire.Principal{Components: []string{n.Name}, Realm: n.Realm}, EndTime: time.Now().Add(time.Hour),
				PAC: &pac.PAC{SID: "S-1-5-21-1-2-3-2000", FullName: "Alice L.", Groups: groups}}, nil
		}
		res, err := a.Password(t.Context(), "alice", "right", here)
		if err != nil {
			t.Fatal(err)
		}
		stored, err := a.Store.UserByName(t.Context(), "alice")
		if err != nil || fmt.Sprint(stored.Groups) != fmt.Sprint(res.User.Groups) {
			t.Errorf("stored %v, answered %v, %v", stored.Groups, res.User.Groups, err)
		}
		return res.User
	}
	if u := login("S-1-5-21-1-2-3-1105", "S-1-5-21-1-2-3-513", "S-1-5-21-1-2-3-1104"); fmt.Sprint(u.Groups) != "[audit finance]" || u.FullName != "Alice L." {
		t.Errorf("first login: %v %q", u.Groups, u.FullName)
	}
	if u := login("S-1-5-21-1-2-3-513"); len(u.Groups) != 0 {
		t.Errorf("after leaving both groups: %v", u.Groups)
	}
}

func TestOldHashesAreReplacedAtLogin(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	a := newAuthn(t, st, &kdc{answer: only("x")})
	salt := []byte("sixteen bytes...")
	weak := fmt.Sprintf("$argon2id$v=19$m=8,t=1,p=1$%s$%s", base64.RawStdEncoding.EncodeToString(salt),
		base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte("old but good"), salt, 1, 8, 1, 32)))
	u, err := st.CreateUser(t.Context(), store.User{Name: "bob", PasswordHash: weak}, nil, store.Entry{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Password(t.Context(), "bob", "old but good", here); err != nil {
		t.Fatal(err)
	}
	now, err := st.UserByID(t.Context(), u.ID)
	if err != nil || now.PasswordHash == weak {
		t.Errorf("the weak hash is kept: %v", err)
	}
	if err := st.RehashPassword(t.Context(), u.ID, weak, weak); err != nil {
		t.Fatal(err)
	}
	if again, _ := st.UserByID(t.Context(), u.ID); again.PasswordHash != now.PasswordHash {
		t.Error("a hash that was changed meanwhile was put back")
	}
}
