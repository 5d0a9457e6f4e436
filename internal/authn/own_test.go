package authn

import (
	"testing"
	"time"

	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// Whoever was imported logs in with the password that they have, and has a hash of ours
// then.
func TestAnImportedHashIsReplacedAtLogin(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	a := newAuthn(t, st, &kdc{answer: only("x")})
	imported := "$2y$04$OrmzRRyA8OV/BY94rDw1fO6eJytKZysm.YjqsFGicfn14YypqXks6"
	if err := st.ImportUsers(t.Context(), []store.User{{Name: "bob", PasswordHash: imported}}, false, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	if _, err := a.Password(t.Context(), "bob", "not it", here); reason.Of(err) != reason.BadPassword {
		t.Fatal(err)
	}
	const boxers = secret.String("Zwölf Boxkämpfer jagen Eva")
	res, err := a.Password(t.Context(), "bob", boxers, here)
	if err != nil {
		t.Fatal(err)
	}
	u, err := st.UserByName(t.Context(), "bob")
	if err != nil || u.PasswordHash == imported || u.PasswordHash[:9] != "$argon2id" || res.PasswordHash != u.PasswordHash {
		t.Errorf("%q, the login has %q, %v", u.PasswordHash, res.PasswordHash, err)
	}
	if hash, err := a.Confirm(t.Context(), u, boxers, here); err != nil || hash != u.PasswordHash {
		t.Errorf("%q %v", hash, err)
	}
	if _, err := a.Confirm(t.Context(), u, "not it", here); reason.Of(err) != reason.BadPassword {
		t.Error(err)
	}
}

// Where a hash was imported that takes long to check, every failure is answered later:
// else the time told which names have one.
func TestHoleSlowHashesTellNames(t *testing.T) {
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	a := newAuthn(t, st, &kdc{answer: only("x")})
	a.passwords = nil
	if err := st.ImportUsers(t.Context(), []store.User{{Name: "bob", PasswordHash: "$2y$04$OrmzRRyA8OV/BY94rDw1fO6eJytKZysm.YjqsFGicfn14YypqXks6"}}, true, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bob", "nobody"} {
		start := time.Now()
		if _, err := a.Password(t.Context(), name, "not it", here); reason.Of(err) == "" {
			t.Fatal(err)
		}
		if took := time.Since(start); took < slowFloor {
			t.Errorf("%s is answered after %s", name, took)
		}
	}
}
