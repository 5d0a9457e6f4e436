package user

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"idp/internal/secret"
)

// boxers is the password of testdata/hashes.txt.
const boxers = "Zwölf Boxkämpfer jagen Eva"

func othersHashes(t testing.TB) (hashes []string) {
	t.Helper()
	text, err := os.ReadFile("testdata/hashes.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		_, h, _ := strings.Cut(strings.TrimSpace(line), " ")
		hashes = append(hashes, h)
	}
	return hashes
}

// Hashes that Django, passlib, libxcrypt and OpenLDAP have made (testdata/hashes.py).
func TestHashesOfOtherSoftware(t *testing.T) {
	h := NewHasher()
	hashes := othersHashes(t)
	if len(hashes) != 17 {
		t.Fatalf("%d hashes", len(hashes))
	}
	for _, stored := range hashes {
		if _, err := CheckHash(stored); err != nil {
			t.Errorf("%s: %v", stored, err)
		}
		for password, want := range map[secret.String]bool{boxers: true, boxers + "!": false, "": false} {
			ok, rehash, err := h.Verify(t.Context(), stored, password)
			if err != nil || ok != want || rehash != want {
				t.Errorf("%s: %q: ok %v, rehash %v, %v", stored, password.Reveal(), ok, rehash, err)
			}
		}
	}
}

// What is typed on one system in one way and on another in another is one password
// (UAX #15); other software has hashed it as it came.
func TestPasswordsAreHashedInTheirNormalForm(t *testing.T) {
	h := NewHasher()
	composed, apart := secret.String("Zwölf Boxkämpfer"), secret.String("Zwo\u0308lf Boxka\u0308mpfer")
	for _, made := range []secret.String{composed, apart} {
		stored, err := h.Hash(t.Context(), made)
		if err != nil {
			t.Fatal(err)
		}
		for _, typed := range []secret.String{composed, apart} {
			if ok, rehash, err := h.Verify(t.Context(), stored, typed); !ok || rehash || err != nil {
				t.Errorf("made of %+q, typed as %+q: %v %v %v", made.Reveal(), typed.Reveal(), ok, rehash, err)
			}
		}
	}
	imported := "{SSHA}" + base64.StdEncoding.EncodeToString(append(digestOf(apart.Reveal()+"salt"), "salt"...))
	if ok, _, err := h.Verify(t.Context(), imported, apart); !ok || err != nil {
		t.Errorf("an imported hash of what was typed: %v %v", ok, err)
	}
}

func digestOf(text string) []byte {
	sum := sha1Sum.of()
	sum.Write([]byte(text))
	return sum.Sum(nil)
}

// A hash that can be imported costs no more than the floor under failed logins covers.
func TestHoleHashesThatCostTooMuch(t *testing.T) {
	sum := func(n int) string { return base64.RawStdEncoding.EncodeToString(make([]byte, n)) }
	for text, want := range map[string]error{
		"$2b$12$" + strings.Repeat("e", 53):                                 nil,
		"$2b$14$" + strings.Repeat("e", 53):                                 nil,
		"$2b$15$" + strings.Repeat("e", 53):                                 ErrCostly,
		"$2b$31$" + strings.Repeat("e", 53):                                 ErrHash,
		"$2b$03$" + strings.Repeat("e", 53):                                 ErrHash,
		"$2x$12$" + strings.Repeat("e", 53):                                 ErrHash,
		"$2b$12$" + strings.Repeat("e", 54):                                 ErrHash,
		"pbkdf2_sha256$1500000$salt$" + sum(32):                             nil,
		"pbkdf2_sha256$1700000$salt$" + sum(32):                             ErrCostly,
		"pbkdf2_sha256$999999999$salt$" + sum(32):                           ErrCostly,
		"pbkdf2_sha256$9999999999$salt$" + sum(32):                          ErrHash,
		"pbkdf2_sha256$-1$salt$" + sum(32):                                  ErrHash,
		"pbkdf2_sha256$1000$salt$" + sum(8):                                 ErrHash, // of few bytes many passwords fit
		"pbkdf2_sha256$1000$salt$":                                          ErrHash,
		"pbkdf2_sha256$1000000$salt$" + sum(128):                            ErrCostly, // four blocks
		"$pbkdf2-sha256$i=1000,l=32$" + sum(16) + "$" + sum(32):             nil,
		"$argon2id$v=19$m=65536,t=3,p=4$" + sum(16) + "$" + sum(32):         nil,
		"$argon2id$v=19$m=262144,t=16,p=1$" + sum(16) + "$" + sum(32):       ErrCostly,
		"$argon2id$v=19$m=999999999,t=1,p=1$" + sum(16) + "$" + sum(32):     ErrHash,
		"$argon2id$v=19$m=65536,t=999999999,p=1$" + sum(16) + "$" + sum(32): ErrHash,
		"$argon2id$v=19$m=47104,t=1,p=1 $" + sum(16) + "$" + sum(32):        ErrHash,
		"$argon2id$v=19$m=47104,t=1,p=1,x=2$" + sum(16) + "$" + sum(32):     ErrHash,
		"$argon2id$v=19$m=47104,t=1,p=200$" + sum(16) + "$" + sum(32):       ErrHash,
		"$argon2id$v=16$m=47104,t=1,p=1$" + sum(16) + "$" + sum(32):         ErrHash,
		"$argon2i$v=19$m=47104,t=1,p=1$" + sum(16) + "$" + sum(32):          ErrHash,
		"$scrypt$ln=17,r=8,p=1$" + sum(16) + "$" + sum(32):                  nil,
		"$scrypt$ln=17,r=8,p=9$" + sum(16) + "$" + sum(32):                  ErrCostly,
		"$scrypt$ln=18,r=8,p=1$" + sum(16) + "$" + sum(32):                  ErrHash, // 256 MiB
		"$scrypt$ln=30,r=999999999,p=999999999$" + sum(16) + "$" + sum(32):  ErrHash,
		"scrypt$16384$salt$8$5$" + sum(64):                                  nil,
		"scrypt$16383$salt$8$5$" + sum(64):                                  ErrHash,
		"{SSHA}" + sum(20):                                                  ErrHash, // no salt
		"{SHA}" + sum(20):                                                   ErrHash,
		"{MD5}" + sum(16):                                                   ErrHash,
		"plain":                                                             ErrHash,
		"":                                                                  ErrHash,
		"{SSHA}" + strings.Repeat("A", 2000):                                ErrHash,
	} {
		if _, err := CheckHash(text); !errors.Is(err, want) {
			t.Errorf("%.60s: %v, want %v", text, err, want)
		}
	}
	slow := func(text string) bool { s, err := CheckHash(text); return s && err == nil }
	if !slow("pbkdf2_sha256$1000000$salt$"+sum(32)) || slow("$2b$12$"+strings.Repeat("e", 53)) || slow("{SSHA}"+sum(24)) {
		t.Error("which hashes are slow")
	}
}

// FuzzHash: whatever a stored hash says, reading it does not panic, and what can be
// read costs no more than is allowed, and takes a password without a panic.
func FuzzHash(f *testing.F) {
	for _, h := range othersHashes(f) {
		f.Add(h)
	}
	f.Add(fmt.Sprintf("$argon2id$v=19$m=%d,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA", argonMemory))
	f.Fuzz(func(t *testing.T, text string) {
		h, err := readHash(text)
		if err != nil {
			if !errors.Is(err, ErrHash) && !errors.Is(err, ErrCostly) {
				t.Fatal(err)
			}
			return
		}
		if h.cost < 0 || h.cost > maxCost || len(h.sum) < minSum || len(h.sum) > maxSum {
			t.Fatalf("%q costs %s for %d bytes", text, h.cost, len(h.sum))
		}
		if h.cost < quickCost/100 && h.fits(text) {
			t.Fatalf("%q is its own password", text)
		}
	})
}
