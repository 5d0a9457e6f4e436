package factor_test

import (
	"testing"

	"idp/internal/factor"
	"idp/internal/factor/factortest"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// FuzzPasskeyAssertion: whatever a browser answers, nobody is logged in but by the one
// answer that the passkey signed, however it is written, and by that once.
func FuzzPasskeyAssertion(f *testing.F) {
	w := newWorld(f, fuzzStore(f))
	d := w.device(w.alice, nil)
	good := d.Get(f, w.askAlone())
	f.Add(good)
	f.Add(factortest.Cut(f, good, "authenticatorData", 36))
	f.Add(factortest.Cut(f, good, "signature", 8))
	d.Origin = "https://evil.example"
	f.Add(d.Get(f, w.askAlone()))
	f.Add(`{"id":"AA","rawId":"AA","type":"public-key","response":{}}`)
	loggedIn := 0
	f.Fuzz(func(t *testing.T, answer string) {
		got, err := w.Assertion(t.Context(), alone(), false, answer)
		if (got == nil) == (err == nil) {
			t.Fatalf("%+v, %v", got, err)
		}
		if got != nil {
			loggedIn++
		}
		if loggedIn > 1 || (got != nil && got.User.ID != w.alice.ID) {
			t.Fatalf("%s logs in as %s", answer, got.User.Name)
		}
	})
}

// FuzzPasskeyRegistration: nothing that is kept of what a browser has made is larger
// than what it sent, and it is read again as it was written.
func FuzzPasskeyRegistration(f *testing.F) {
	w := newWorld(f, fuzzStore(f))
	for _, algorithm := range []int{-7, -8, -257} {
		d := &factortest.Authenticator{Origin: issuer, Algorithm: algorithm}
		f.Add(d.Create(f, w.askNew(w.alice)))
		d.Format = "packed"
		if algorithm == -7 {
			f.Add(d.Create(f, w.askNew(w.alice)))
		}
	}
	f.Fuzz(func(t *testing.T, answer string) {
		made, err := w.Registration(t.Context(), registering(w.alice), false, answer)
		if (made == nil) == (err == nil) {
			t.Fatalf("%+v, %v", made, err)
		}
		if made == nil {
			return
		}
		if k, err := factor.PasskeyOf(&made.Factor); err != nil || len(k.PublicKey) > len(answer) || len(made.Factor.Key) == 0 || made.Factor.UserID != w.alice.ID {
			t.Fatalf("%+v, %v", made.Factor, err)
		}
	})
}

func fuzzStore(f *testing.F) *store.Store {
	f.Helper()
	return storetest.Open(f, store.Config{URL: storetest.SQLite(f)})
}
