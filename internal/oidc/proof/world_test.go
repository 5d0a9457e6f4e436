package proof

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	issuer   = "https://sso.example.com"
	endpoint = issuer + "/token"
	client   = "wiki"
)

var now = time.UnixMilli(1_790_000_000_500)

type fields = map[string]any

// private are the keys of the tests by the algorithm they sign with. Those that
// can be are always the same, the examples of RFC 7515 appendix A.3 and RFC 8037
// appendix A.1: the processes of a fuzz test share what they find.
var private = sync.OnceValue(func() map[string]crypto.Signer {
	d, err1 := base64url.DecodeString("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI")
	ec, err2 := ecdsa.ParseRawPrivateKey(elliptic.P256(), d)
	seed, err3 := base64url.DecodeString("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
	rs, err4 := rsa.GenerateKey(rand.Reader, 2048)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		panic(err)
	}
	ed := ed25519.NewKeyFromSeed(seed)
	return map[string]crypto.Signer{ES256: ec, RS256: rs, PS256: rs, EdDSA: ed, Ed25519: ed}
})

// jwk is a key as JSON: the public half of a signer, anything else as it is.
func jwk(t testing.TB, key any, more fields) fields {
	t.Helper()
	if s, ok := key.(crypto.Signer); ok {
		key = s.Public()
	}
	m := fields{}
	if err := json.Unmarshal([]byte(marshal(t, jose.JSONWebKey{Key: key})), &m); err != nil {
		t.Fatal(err)
	}
	maps.Copy(m, more)
	return m
}

// with is a copy of m with some fields changed; nil takes one away.
func with(m, changes fields) fields {
	m = maps.Clone(m)
	for name, v := range changes {
		if m[name] = v; v == nil {
			delete(m, name)
		}
	}
	return m
}

// marshal writes JSON; a text is JSON already.
func marshal(t testing.TB, v any) string {
	t.Helper()
	if s, ok := v.(string); ok {
		return s
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// sign makes a JWS of any header and claims, good or bad. key is a crypto.Signer,
// or the bytes of an HMAC.
func sign(t testing.TB, key any, alg string, header, claims any) string {
	t.Helper()
	signed := b64(marshal(t, header)) + "." + b64(marshal(t, claims))
	return signed + "." + b64(string(signature(t, key, alg, signed)))
}

func signature(t testing.TB, key any, alg, signed string) (sig []byte) {
	t.Helper()
	sum := sha256.Sum256([]byte(signed))
	var err error
	switch key := key.(type) {
	case []byte:
		m := hmac.New(sha256.New, key)
		m.Write([]byte(signed))
		return m.Sum(nil)
	case *ecdsa.PrivateKey:
		r, s, e := ecdsa.Sign(rand.Reader, key, sum[:])
		size := (key.Params().BitSize + 7) / 8
		sig, err = append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...), e
	case ed25519.PrivateKey:
		sig = ed25519.Sign(key, []byte(signed))
	case *rsa.PrivateKey:
		if alg == PS256 {
			sig, err = rsa.SignPSS(rand.Reader, key, crypto.SHA256, sum[:], &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
			break
		}
		sig, err = rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	default:
		t.Fatalf("a %T signs nothing", key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

// registered is a JWKS with the public halves of all test keys, each under the
// name of its algorithm.
func registered(t testing.TB) *Keys {
	t.Helper()
	var list []fields
	for _, alg := range Algorithms(false) {
		list = append(list, jwk(t, private()[alg], fields{"kid": alg, "alg": alg}))
	}
	return keys(t, fields{"keys": list})
}

func keys(t testing.TB, set any) *Keys {
	t.Helper()
	k, err := ParseKeys([]byte(marshal(t, set)))
	if err != nil {
		t.Fatal(err)
	}
	return k
}
