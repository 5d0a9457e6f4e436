package factor_test

import (
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"idp/internal/factor"
	"idp/internal/factor/factortest"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

const issuer = "https://sso.example.com"

// world is a database with two users, and passkeys at an issuer.
type world struct {
	*factor.Passkeys
	t          testing.TB
	now        time.Time
	alice, bob *store.User
}

func newWorld(t testing.TB, st *store.Store) *world {
	t.Helper()
	w := &world{t: t, now: time.Now()}
	u, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	w.Passkeys, err = factor.NewPasskeys(factor.PasskeyConfig{Store: st, Ring: secret.NewRing(), Issuer: u, Name: "Example", Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	w.alice, w.bob = w.user("alice"), w.user("bob")
	return w
}

func (w *world) user(name string) *store.User {
	w.t.Helper()
	u, err := w.Store.CreateUser(w.t.Context(), store.User{Name: name}, nil, store.Entry{Actor: "test"})
	if err != nil {
		w.t.Fatal(err)
	}
	return &u
}

// registering is what is asked when a user is to make a passkey.
func registering(u *store.User) factor.Asked {
	return factor.Asked{For: factor.ToRegister, Browser: []byte("browser"), At: "session", UserID: u.ID}
}

// alone is what a login page asks.
func alone() factor.Asked {
	return factor.Asked{For: factor.ToLogIn, Browser: []byte("browser"), At: "login"}
}

func adding(u *store.User) factor.Asked {
	return factor.Asked{For: factor.ToAdd, Browser: []byte("browser"), At: "login", UserID: u.ID}
}

// device is an authenticator with a passkey of a user, which is in the database.
func (w *world) device(u *store.User, change func(*factortest.Authenticator)) *factortest.Authenticator {
	w.t.Helper()
	d := &factortest.Authenticator{Origin: issuer}
	if change != nil {
		change(d)
	}
	made, err := w.Registration(w.t.Context(), registering(u), false, d.Create(w.t, w.askNew(u)))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.Store.AddFactor(w.t.Context(), store.NewFactor{Factor: made.Factor, Entry: store.Entry{Actor: u.Name}}); err != nil {
		w.t.Fatal(err)
	}
	return d
}

func (w *world) factors(u *store.User) []store.Factor {
	w.t.Helper()
	all, err := w.Store.FactorsOf(w.t.Context(), u.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func (w *world) askNew(u *store.User) string {
	w.t.Helper()
	return must(w.t)(w.AskNew(registering(u), u, w.factors(u), false))
}

func (w *world) askAlone() string {
	w.t.Helper()
	return must(w.t)(w.AskAlone(alone()))
}

func (w *world) askOf(u *store.User) string {
	w.t.Helper()
	return must(w.t)(w.AskOf(adding(u), w.factors(u), false))
}

func must(t testing.TB) func(string, error) string {
	return func(s string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
}

func each(t *testing.T, test func(t *testing.T, w *world)) {
	storetest.Each(t, func(t *testing.T, st *store.Store) { test(t, newWorld(t, st)) })
}

func one(t *testing.T) *world {
	t.Helper()
	return newWorld(t, storetest.Open(t, store.Config{URL: storetest.SQLite(t)}))
}

func TestPasskeyFromItsMakingToALogin(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, algorithm := range []int{-7, -8, -257} {
			d := w.device(w.alice, func(d *factortest.Authenticator) { d.Algorithm, d.Counts, d.BackedUp = algorithm, true, true })
			got, err := w.Assertion(t.Context(), alone(), false, d.Get(t, w.askAlone()))
			if err != nil || got.User.ID != w.alice.ID || !got.Verified {
				t.Fatalf("algorithm %d alone: %+v, %v", algorithm, got, err)
			}
			d.Unverified = true
			got, err = w.Assertion(t.Context(), adding(w.alice), false, d.Get(t, w.askOf(w.alice)))
			if err != nil || got.Verified {
				t.Fatalf("algorithm %d beside a password: %+v, %v", algorithm, got, err)
			}
			i := slices.IndexFunc(w.factors(w.alice), func(f store.Factor) bool { return f.ID == got.Factor.ID })
			if f := w.factors(w.alice)[i]; f.Counter != 2 || f.UsedAt == 0 {
				t.Errorf("the row after two uses: %+v", f)
			}
		}
	})
}

func TestWhatIsAskedForPasskeys(t *testing.T) {
	w := one(t)
	d := w.device(w.alice, nil)
	id := base64.RawURLEncoding.EncodeToString(d.Last().ID)
	if o := factortest.Read(t, w.askAlone()); o.RPID != "sso.example.com" || o.UV != "required" || len(o.Allow) != 0 {
		t.Errorf("alone: %+v", o)
	}
	if o := factortest.Read(t, w.askOf(w.alice)); o.UV != "preferred" || len(o.Allow) != 1 || o.Allow[0].ID != id {
		t.Errorf("beside a password: %+v", o)
	}
	if o := factortest.Read(t, must(t)(w.AskOf(adding(w.alice), nil, true))); o.UV != "required" {
		t.Errorf("where it must make sure of its person: %+v", o)
	}
	o := factortest.Read(t, w.askNew(w.alice))
	if o.RP.ID != "sso.example.com" || o.RP.Name != "Example" || o.User.Name != "alice" || o.Attestation != "none" || o.Selection.ResidentKey != "preferred" ||
		len(o.Exclude) != 1 || o.Exclude[0].ID != id || len(o.Algorithms) != 3 {
		t.Errorf("a new one: %+v", o)
	}
	if strings.Contains(w.askAlone(), id) {
		t.Error("the login page names somebody's passkey")
	}
}

func TestBackupStateIsKept(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		d := w.device(w.alice, func(d *factortest.Authenticator) { d.BackedUp = true })
		k, err := factor.PasskeyOf(&w.factors(w.alice)[0])
		if err != nil || !k.BackupEligible || !k.BackedUp || !k.Alone || len(k.Transports) != 1 {
			t.Fatalf("after its making: %+v, %v", k, err)
		}
		d.BackedUp = false // says now that it was never to be copied: this is another key
		_, err = w.Assertion(t.Context(), alone(), false, d.Get(t, w.askAlone()))
		if reason.Of(err) != reason.BadPasskey {
			t.Errorf("another backup eligibility: %v", err)
		}
	})
}

// TestHolePasskeyForgedOrMisused: every way in which an answer can be wrong.
func TestHolePasskeyForgedOrMisused(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, c := range map[string]struct {
			asked  factor.Asked
			change func(*factortest.Authenticator)
			want   reason.Code
		}{
			"shown to another origin":        {alone(), func(d *factortest.Authenticator) { d.Origin = "https://sso.example.com.evil.example" }, reason.BadPasskey},
			"to another port":                {alone(), func(d *factortest.Authenticator) { d.Origin = issuer + ":8443" }, reason.BadPasskey},
			"to the origin in other letters": {alone(), func(d *factortest.Authenticator) { d.Origin = "https://SSO.example.com" }, reason.BadPasskey},
			"in a frame":                     {alone(), func(d *factortest.Authenticator) { d.CrossOrigin = true }, reason.BadPasskey},
			"of another relying party":       {alone(), func(d *factortest.Authenticator) { d.RPID = "example.com" }, reason.BadPasskey},
			"to a challenge of nobody's": {alone(), func(d *factortest.Authenticator) {
				d.Challenge = base64.RawURLEncoding.EncodeToString(make([]byte, 56))
			}, reason.BadPasskey},
			"to no challenge":                  {alone(), func(d *factortest.Authenticator) { d.Challenge = "x" }, reason.BadPasskey},
			"as a registration":                {alone(), func(d *factortest.Authenticator) { d.Type = "webauthn.create" }, reason.BadPasskey},
			"by nobody":                        {alone(), func(d *factortest.Authenticator) { d.Absent = true }, reason.BadPasskey},
			"alone by whoever holds it":        {alone(), func(d *factortest.Authenticator) { d.Unverified = true }, reason.PasskeyUnverified},
			"with another user's handle":       {alone(), func(d *factortest.Authenticator) { d.UserHandle = w.bob.ID }, reason.BadPasskey},
			"of another user":                  {adding(w.bob), nil, reason.PasskeyUnknown},
			"by another user's second factor":  {adding(w.alice), func(d *factortest.Authenticator) { d.UserHandle = w.bob.ID }, reason.BadPasskey},
			"of a key that is not the passkey": {alone(), func(d *factortest.Authenticator) { d.Swap(t) }, reason.BadPasskey},
			"that nobody has registered":       {alone(), func(d *factortest.Authenticator) { d.Last().ID = []byte("another") }, reason.PasskeyUnknown},
		} {
			d := w.device(w.alice, nil)
			if c.change != nil {
				c.change(d)
			}
			options := w.askAlone()
			if c.asked.For == factor.ToAdd {
				options = must(t)(w.AskOf(c.asked, nil, false))
			}
			answer := d.Get(t, options)
			got, err := w.Assertion(t.Context(), c.asked, false, answer)
			if reason.Of(err) != c.want || got != nil {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
	})
}

// TestHolePasskeyAnswerUsedElsewhere: an answer is to one question, once.
func TestHolePasskeyAnswerUsedElsewhere(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		d := w.device(w.alice, nil)
		for name, elsewhere := range map[string]factor.Asked{
			"in another browser":         {For: factor.ToLogIn, Browser: []byte("another"), At: "login"},
			"at another login request":   {For: factor.ToLogIn, Browser: []byte("browser"), At: "another"},
			"split in another place":     {For: factor.ToLogIn, Browser: []byte("browserl"), At: "ogin"},
			"as a second factor":         adding(w.alice),
			"as the answer of that user": {For: factor.ToLogIn, Browser: []byte("browser"), At: "login", UserID: w.alice.ID},
		} {
			if _, err := w.Assertion(t.Context(), elsewhere, false, d.Get(t, w.askAlone())); reason.Of(err) != reason.BadPasskey {
				t.Errorf("%s: %v", name, err)
			}
		}
		sameBut := adding(w.alice)
		sameBut.For = factor.ToRegister
		if _, err := w.Assertion(t.Context(), adding(w.alice), false, d.Get(t, must(t)(w.AskOf(sameBut, nil, false)))); reason.Of(err) != reason.BadPasskey {
			t.Errorf("for another purpose: %v", err)
		}
		other := d.Create(t, w.askNew(w.bob))
		if _, err := w.Registration(t.Context(), registering(w.alice), false, other); reason.Of(err) != reason.BadPasskey {
			t.Errorf("registered by another user: %v", err)
		}
		d2 := w.device(w.alice, nil)
		if _, err := w.Assertion(t.Context(), alone(), false, d2.Get(t, w.askNew(w.alice))); reason.Of(err) != reason.BadPasskey {
			t.Errorf("to a challenge for a new passkey: %v", err)
		}
		d2.Type = "webauthn.create"
		if _, err := w.Registration(t.Context(), registering(w.alice), false, d2.Create(t, `{"challenge":"`+factortest.Read(t, w.askAlone()).Challenge+`","rp":{"id":"sso.example.com"},"user":{"id":""}}`)); reason.Of(err) != reason.BadPasskey {
			t.Errorf("a new passkey to the login page's challenge: %v", err)
		}
	})
}

// TestHolePasskeyReplayed: the same answer counts once, whatever comes at once.
func TestHolePasskeyReplayed(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		d := w.device(w.alice, nil) // counts nothing, as passkeys that are copied do not
		answer := d.Get(t, w.askAlone())
		var mu sync.Mutex
		var all sync.WaitGroup
		good := 0
		for range 16 {
			all.Go(func() {
				_, err := w.Assertion(t.Context(), alone(), false, answer)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					good++
				} else if reason.Of(err) != reason.BadPasskey {
					t.Errorf("replayed: %v", err)
				}
			})
		}
		all.Wait()
		if good != 1 {
			t.Errorf("%d of 16 logged in", good)
		}
		options := w.askNew(w.bob)
		first := d.Create(t, options)
		if _, err := w.Registration(t.Context(), registering(w.bob), false, first); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Registration(t.Context(), registering(w.bob), false, first); reason.Of(err) != reason.BadPasskey {
			t.Errorf("registered twice: %v", err)
		}
	})
}

// TestHolePasskeyCopied: a counter that does not grow.
func TestHolePasskeyCopied(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		d := w.device(w.alice, func(d *factortest.Authenticator) { d.Counts, d.Counter = true, 7 })
		show := func() error {
			_, err := w.Assertion(t.Context(), alone(), false, d.Get(t, w.askAlone()))
			return err
		}
		if err := show(); err != nil {
			t.Fatal(err)
		}
		for _, back := range []uint32{8, 3, 0} { // 8 is the very count of a moment ago
			d.Counts, d.Counter = false, back
			if err := show(); reason.Of(err) != reason.PasskeyCounter {
				t.Errorf("counting %d after 8: %v", back, err)
			}
		}
		d.Counter = 9
		if err := show(); err != nil {
			t.Errorf("counting on: %v", err)
		}
	})
}

func TestPasskeyAnsweredTooLate(t *testing.T) {
	w := one(t)
	d := w.device(w.alice, nil)
	options := w.askAlone()
	w.now = w.now.Add(11 * time.Minute)
	if _, err := w.Assertion(t.Context(), alone(), false, d.Get(t, options)); reason.Of(err) != reason.PasskeyTooLate {
		t.Errorf("after 11 minutes: %v", err)
	}
}

func TestPasskeyOfADisabledOrRemovedUser(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		d := w.device(w.alice, nil)
		if err := w.Store.SetDisabled(t.Context(), w.alice.ID, true, store.Entry{Actor: "test"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Assertion(t.Context(), alone(), false, d.Get(t, w.askAlone())); reason.Of(err) != reason.UserDisabled {
			t.Errorf("disabled: %v", err)
		}
		d = w.device(w.bob, nil)
		if err := w.Store.RemoveFactor(t.Context(), w.bob.ID, w.factors(w.bob)[0].ID, store.Entry{Actor: "bob"}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Assertion(t.Context(), alone(), false, d.Get(t, w.askAlone())); reason.Of(err) != reason.PasskeyUnknown {
			t.Errorf("removed: %v", err)
		}
	})
}

// TestHolePasskeyRegistration: what a browser may not register.
func TestHolePasskeyRegistration(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, c := range map[string]struct {
			change   func(*factortest.Authenticator)
			verified bool
			want     reason.Code
		}{
			"made for another origin":            {func(d *factortest.Authenticator) { d.Origin = "https://evil.example" }, false, reason.BadPasskey},
			"for another relying party":          {func(d *factortest.Authenticator) { d.RPID = "evil.example" }, false, reason.BadPasskey},
			"out of a login":                     {func(d *factortest.Authenticator) { d.Type = "webauthn.get" }, false, reason.BadPasskey},
			"by nobody":                          {func(d *factortest.Authenticator) { d.Absent = true }, false, reason.BadPasskey},
			"without a PIN where there must be":  {func(d *factortest.Authenticator) { d.Unverified = true }, true, reason.PasskeyUnverified},
			"with an algorithm nobody asked for": {func(d *factortest.Authenticator) { d.Algorithm = -65535 }, false, reason.BadPasskey},
			"with a statement of its maker": {func(d *factortest.Authenticator) {
				d.Format = "fido-u2f"
				d.Statement = map[string]any{"x5c": [][]byte{{1}}}
			}, false, reason.BadPasskey},
			"with a certificate": {func(d *factortest.Authenticator) {
				d.Format = "packed"
				d.Statement = map[string]any{"x5c": [][]byte{{1}}}
			}, false, reason.BadPasskey},
			"with a good certificate":             {func(d *factortest.Authenticator) { d.Certified = true }, false, reason.BadPasskey},
			"with a statement where there's none": {func(d *factortest.Authenticator) { d.Format = "none"; d.Statement = map[string]any{"alg": -7} }, false, reason.BadPasskey},
		} {
			d := &factortest.Authenticator{Origin: issuer}
			c.change(d)
			if _, err := w.Registration(t.Context(), registering(w.alice), c.verified, d.Create(t, w.askNew(w.alice))); reason.Of(err) != c.want {
				t.Errorf("%s: %v, want %s", name, err, c.want)
			}
		}
		d := w.device(w.alice, func(d *factortest.Authenticator) { d.Format = "packed" }) // signed by itself: what browsers leave
		if len(w.factors(w.alice)) != 1 {
			t.Error("a passkey that vouches for itself is not there")
		}
		id := d.Last().ID // somebody else's registration claims it
		thief := &factortest.Authenticator{Origin: issuer, NewID: id}
		made, err := w.Registration(t.Context(), registering(w.bob), false, thief.Create(t, w.askNew(w.bob)))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Store.AddFactor(t.Context(), store.NewFactor{Factor: made.Factor, Entry: store.Entry{Actor: "bob"}}); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a credential id that is somebody's: %v", err)
		}
	})
}

func TestTruncatedAnswersAreRefused(t *testing.T) {
	w := one(t)
	d := w.device(w.alice, nil)
	for _, answer := range []string{"", "{}", "[]", "null", `{"id":"AA"}`, strings.Repeat("x", 17<<10)} {
		if _, err := w.Assertion(t.Context(), alone(), false, answer); reason.Of(err) != reason.BadPasskey {
			t.Errorf("%.20q: %v", answer, err)
		}
		if _, err := w.Registration(t.Context(), registering(w.alice), false, answer); reason.Of(err) != reason.BadPasskey {
			t.Errorf("registering %.20q: %v", answer, err)
		}
	}
	whole := (&factortest.Authenticator{Origin: issuer}).Create(t, w.askNew(w.alice))
	for n := range factortest.Lengths(t, whole, "attestationObject") {
		if _, err := w.Registration(t.Context(), registering(w.alice), false, factortest.Cut(t, whole, "attestationObject", n)); reason.Of(err) != reason.BadPasskey {
			t.Errorf("%d bytes of the attestation object: %v", n, err)
		}
	}
	whole = d.Get(t, w.askAlone())
	for _, part := range []string{"authenticatorData", "clientDataJSON", "signature"} {
		for n := range factortest.Lengths(t, whole, part) {
			_, err := w.Assertion(t.Context(), alone(), false, factortest.Cut(t, whole, part, n))
			if reason.Of(err) != reason.BadPasskey {
				t.Errorf("%d bytes of %s: %v", n, part, err)
			}
		}
	}
	if _, err := w.Assertion(t.Context(), alone(), false, whole); err != nil {
		t.Errorf("the whole of it: %v", err)
	}
}

func TestNoPasskeysAtAnAddress(t *testing.T) {
	w := one(t)
	for issuer, want := range map[string]error{
		"http://127.0.0.1:8080": factor.ErrNoPasskeys, "http://[::1]:8080": factor.ErrNoPasskeys,
		"http://localhost:8080": nil, "http://idp.localhost:8080": nil, "https://SSO.example.com:443": nil,
	} {
		u, err := url.Parse(issuer)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = factor.NewPasskeys(factor.PasskeyConfig{Store: w.Store, Ring: secret.NewRing(), Issuer: u}); !errors.Is(err, want) {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}
