// Package factortest is an authenticator for tests, made of real keys: what a
// browser and a security key do together, as WebAuthn Level 3 says it, and each
// thing that they could do wrong.
package factortest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math/big"
	"testing"

	"github.com/go-webauthn/webauthn/protocol/webauthncbor"
)

// Authenticator holds passkeys. Its fields may be changed between calls: each makes
// it answer differently, rightly or wrongly.
type Authenticator struct {
	Origin     string // what the browser shows as its own
	RPID       string // hashed into the answer; empty: as asked
	Unverified bool   // it makes sure of nobody
	Absent     bool   // nor that anybody is there
	Counts     bool   // each use
	Counter    uint32
	BackedUp   bool
	Type       string // in the client data; empty: the right one
	Challenge  string // in the client data; empty: as asked
	UserHandle string // given back; empty: as it was told
	Algorithm  int    // of new keys; 0: ES256 (-7)
	NewID      []byte // of new keys; nil: random
	// Format and Statement are the attestation; none by default.
	Format    string
	Statement map[string]any
	// Certified: new keys come with a statement of their maker, and its certificate.
	Certified bool
	// CrossOrigin: it was asked in a frame of another site.
	CrossOrigin bool

	keys []*Key
}

// Key is one passkey.
type Key struct {
	ID      []byte
	User    []byte
	private crypto.Signer
}

// The flags of authenticator data (§6.1).
const (
	flagPresent  = 0x01
	flagVerified = 0x04
	flagEligible = 0x08
	flagBackedUp = 0x10
	flagAttested = 0x40
)

type descriptor struct {
	ID string `json:"id"`
}

// Options are what a page asks for (§5.4, §5.5), as far as an authenticator cares.
type Options struct {
	Challenge string `json:"challenge"`
	RPID      string `json:"rpId"`
	RP        struct {
		ID, Name string
	} `json:"rp"`
	User struct {
		ID, Name, DisplayName string
	} `json:"user"`
	Algorithms []struct {
		Alg int `json:"alg"`
	} `json:"pubKeyCredParams"`
	Allow     []descriptor `json:"allowCredentials"`
	Exclude   []descriptor `json:"excludeCredentials"`
	UV        string       `json:"userVerification"`
	Selection struct {
		ResidentKey string `json:"residentKey"`
		UV          string `json:"userVerification"`
	} `json:"authenticatorSelection"`
	Attestation string `json:"attestation"`
}

// Read reads options.
func Read(t testing.TB, text string) Options {
	t.Helper()
	var o Options
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("options %q: %v", text, err)
	}
	return o
}

// Last is the passkey that was made last.
func (a *Authenticator) Last() *Key { return a.keys[len(a.keys)-1] }

// Swap puts another private key under the id of the passkey that was made last.
func (a *Authenticator) Swap(t testing.TB) {
	t.Helper()
	a.Last().generate(t, a.Algorithm)
}

// Create answers navigator.credentials.create.
func (a *Authenticator) Create(t testing.TB, options string) string {
	t.Helper()
	o := Read(t, options)
	user, err := base64.RawURLEncoding.DecodeString(o.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	k := &Key{ID: a.NewID, User: user}
	if k.ID == nil {
		k.ID = make([]byte, 32)
		_, _ = rand.Read(k.ID)
	}
	cose := k.generate(t, a.Algorithm)
	a.keys = append(a.keys, k)

	data := a.data(o.RP.ID, flagAttested)
	data = append(data, make([]byte, 16)...)                      // AAGUID
	data = binary.BigEndian.AppendUint16(data, uint16(len(k.ID))) //nolint:gosec // 1,023 at most
	data = append(append(data, k.ID...), cose...)
	format, statement := a.Format, a.Statement
	if format == "" {
		format, statement = "none", map[string]any{}
	}
	client := a.client(t, "webauthn.create", o.Challenge)
	if format == "packed" && statement == nil { // signed under its own key (§8.2)
		statement = map[string]any{"alg": -7, "sig": k.sign(t, append(data, hash(client)...))}
	}
	if a.Certified {
		format, statement = "packed", certified(t, append(data, hash(client)...))
	}
	object, err := webauthncbor.Marshal(map[string]any{"fmt": format, "attStmt": statement, "authData": data})
	if err != nil {
		t.Fatal(err)
	}
	return answer(t, k.ID, map[string]any{"clientDataJSON": b64(client), "attestationObject": b64(object), "transports": []string{"internal", "carrier pigeon"}},
		map[string]any{"credProps": map[string]any{"rk": o.Selection.ResidentKey != "discouraged"}})
}

// Get answers navigator.credentials.get with the passkey that was made last.
func (a *Authenticator) Get(t testing.TB, options string) string {
	t.Helper()
	return a.Use(t, a.Last(), options)
}

// Use is Get with a passkey of the test's choice, asked for or not.
func (a *Authenticator) Use(t testing.TB, k *Key, options string) string {
	t.Helper()
	o := Read(t, options)
	if a.Counts {
		a.Counter++
	}
	data, client := a.data(o.RPID, 0), a.client(t, "webauthn.get", o.Challenge)
	handle := a.UserHandle
	if handle == "" {
		handle = string(k.User)
	}
	return answer(t, k.ID, map[string]any{"clientDataJSON": b64(client), "authenticatorData": b64(data),
		"signature": b64(k.sign(t, append(data, hash(client)...))), "userHandle": b64([]byte(handle))}, map[string]any{})
}

// data is authenticator data without attested credential data (§6.1).
func (a *Authenticator) data(rpID string, flags byte) []byte {
	if a.RPID != "" {
		rpID = a.RPID
	}
	for flag, set := range map[byte]bool{flagPresent: !a.Absent, flagVerified: !a.Unverified, flagEligible: a.BackedUp, flagBackedUp: a.BackedUp} {
		if set {
			flags |= flag
		}
	}
	data := append(hash([]byte(rpID)), flags)
	return binary.BigEndian.AppendUint32(data, a.Counter)
}

// client is the client data (§5.8.1).
func (a *Authenticator) client(t testing.TB, kind, challenge string) []byte {
	t.Helper()
	if a.Type != "" {
		kind = a.Type
	}
	if a.Challenge != "" {
		challenge = a.Challenge
	}
	b, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": a.CrossOrigin})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// generate makes a key and returns it as a COSE_Key (RFC 9053 §7, RFC 8230 §4).
func (k *Key) generate(t testing.TB, algorithm int) []byte {
	t.Helper()
	var cose map[int]any
	switch algorithm {
	case 0, -7:
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		k.private, cose = key, map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]}
	case -8:
		public, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		k.private, cose = key, map[int]any{1: 1, 3: -8, -1: 6, -2: []byte(public)}
	default: // RSA, whatever the algorithm is called
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		k.private, cose = key, map[int]any{1: 3, 3: algorithm, -1: key.N.Bytes(), -2: big.NewInt(int64(key.E)).Bytes()}
	}
	b, err := webauthncbor.Marshal(cose)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (k *Key) sign(t testing.TB, message []byte) []byte {
	t.Helper()
	var sig []byte
	var err error
	if _, ok := k.private.(ed25519.PrivateKey); ok {
		sig, err = k.private.Sign(rand.Reader, message, crypto.Hash(0))
	} else {
		sig, err = k.private.Sign(rand.Reader, hash(message), crypto.SHA256)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func hash(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func answer(t testing.TB, id []byte, response, extensions map[string]any) string {
	t.Helper()
	b, err := json.Marshal(map[string]any{"id": b64(id), "rawId": b64(id), "type": "public-key", "response": response, "clientExtensionResults": extensions})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
