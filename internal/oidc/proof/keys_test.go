package proof

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func thumbprintOf(t testing.TB, key any) string {
	t.Helper()
	k, err := parseKey([]byte(marshal(t, key)))
	if err != nil {
		t.Fatal(err)
	}
	sum, err := k.thumbprint()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// TestThumbprintsOfTheRFCs: RFC 7638 §3.1 (whose kid and alg are no part of it) and
// RFC 8037 appendix A.3.
func TestThumbprintsOfTheRFCs(t *testing.T) {
	for key, want := range map[string]string{
		`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`: "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
	} {
		if got := thumbprintOf(t, key); got != want {
			t.Errorf("%s: want %s", got, want)
		}
	}
}

// TestASignatureOfTheRFC: RFC 8037 appendix A.4.
func TestASignatureOfTheRFC(t *testing.T) {
	k, err := parseKey([]byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	if err != nil {
		t.Fatal(err)
	}
	const signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
	sig, err := base64url.DecodeString("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg")
	if err != nil || !k.verify(EdDSA, signed, sig) {
		t.Errorf("does not verify, %v", err)
	}
	if k.verify(EdDSA, signed+"x", sig) || k.verify(ES256, signed, sig) {
		t.Error("verifies what was not signed")
	}
}

// TestEd25519IsEdDSA: RFC 9864 §2.2 gave the algorithm another name; software that
// writes either meets keys and registrations that say either.
func TestEd25519IsEdDSA(t *testing.T) {
	names := []string{EdDSA, Ed25519}
	for _, alg := range names {
		for _, ofKey := range append(names, "") {
			keys, err := ParseKeys([]byte(marshal(t, fields{"keys": []any{jwk(t, private()[EdDSA], fields{"alg": ofKey})}})))
			if err != nil {
				t.Fatalf("key for %q: %v", ofKey, err)
			}
			for _, registered := range append(names, "", ES256) {
				r := rules()
				r.Algorithm, r.FAPI, r.Audiences = registered, true, []string{issuer}
				c, err := ParseAssertion(sign(t, private()[EdDSA], EdDSA, fields{"alg": alg}, assertion()))
				if err == nil {
					_, err = c.Verify(t.Context(), r, keys.Find)
				}
				if (err == nil) != (registered != ES256) {
					t.Errorf("%s with a key for %q of a client for %q: %v", alg, ofKey, registered, err)
				}
			}
		}
		header := with(proofHeader(t, EdDSA), fields{"alg": alg})
		if _, err := VerifyDPoP([]string{sign(t, private()[EdDSA], EdDSA, header, proofClaims())}, request()); err != nil {
			t.Errorf("proof with %s: %v", alg, err)
		}
	}
	for _, other := range []string{ES256, RS256, PS256} { // the name is for one kind of key
		_, err := judge(t, sign(t, private()[other], other, fields{"alg": Ed25519}, assertion()), rules())
		checkHint(t, err, "signature")
	}
}

// TestHoleOneKeySpoilsTheSet: a key that is unknown, broken, weak or secret is left
// out, and the one beside it is used.
func TestHoleOneKeySpoilsTheSet(t *testing.T) {
	good := jwk(t, private()[ES256], fields{"kid": "good"})
	weak, err1 := rsa.GenerateKey(rand.Reader, 1024)
	p384, err2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	rs := jwk(t, private()[RS256], nil)
	for name, bad := range map[string]any{
		"an unknown type":                   fields{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"},
		"a type of tomorrow":                fields{"kty": "LATTICE"},
		"no type":                           fields{"kid": "x"},
		"nothing":                           fields{},
		"null":                              nil,
		"a text":                            "key",
		"an array":                          []any{good},
		"a number":                          1,
		"a curve of tomorrow":               with(good, fields{"crv": "P-1024"}),
		"X25519, which signs nothing":       fields{"kty": "OKP", "crv": "X25519", "x": b64(strings.Repeat("x", 32))},
		"Ed448":                             fields{"kty": "OKP", "crv": "Ed448", "x": b64(strings.Repeat("x", 57))},
		"Ed25519 of 31 bytes":               fields{"kty": "OKP", "crv": "Ed25519", "x": b64(strings.Repeat("x", 31))},
		"Ed25519, with which anybody signs": fields{"kty": "OKP", "crv": "Ed25519", "x": b64("\x01" + strings.Repeat("\x00", 31))},
		"P-384":                             jwk(t, p384, nil),
		"secp256k1":                         with(good, fields{"crv": "secp256k1"}),
		"not on the curve":                  with(good, fields{"y": good["x"]}),
		"without y":                         with(good, fields{"y": nil}),
		"x is a number":                     with(good, fields{"x": 1}),
		"x with padding":                    with(good, fields{"x": good["x"].(string) + "="}),
		"x is long":                         with(good, fields{"x": b64(strings.Repeat("x", 4096))}),
		"RSA with 1024 bits":                jwk(t, weak, nil),
		"RSA with 16384 bits":               with(rs, fields{"n": b64(strings.Repeat("\xff", 2048))}),
		"RSA with e of 1":                   with(rs, fields{"e": b64("\x01")}),
		"RSA with an even e":                with(rs, fields{"e": b64("\x04")}),
		"RSA with a huge e":                 with(rs, fields{"e": b64(strings.Repeat("\x7f", 8))}),
		"RSA with an e of kilobytes":        with(rs, fields{"e": b64(strings.Repeat("\x7f", 4096))}),
		"RSA without n":                     with(rs, fields{"n": nil}),
		"a private EC key":                  rawJSON(marshal(t, jose.JSONWebKey{Key: private()[ES256]})),
		"a private RSA key":                 rawJSON(marshal(t, jose.JSONWebKey{Key: private()[RS256]})),
		"a private Ed25519 key":             rawJSON(marshal(t, jose.JSONWebKey{Key: private()[EdDSA]})),
		"a prime of an RSA key":             with(rs, fields{"p": "AA"}),
		"other primes of an RSA key":        with(rs, fields{"oth": []any{}}),
		"a symmetric key":                   fields{"kty": "oct", "k": b64("secret"), "alg": "HS256"},
		"for encryption":                    with(good, fields{"use": "enc"}),
		"for a use of tomorrow":             with(good, fields{"use": "vote"}),
		"for signing only":                  with(good, fields{"key_ops": []string{"sign"}}),
		"for nothing":                       with(good, fields{"key_ops": []string{}}),
		"key_ops is a text":                 with(good, fields{"key_ops": "verify"}),
		"for an algorithm that is not ours": with(rs, fields{"alg": "RS512"}),
		"for encryption by its alg":         with(rs, fields{"alg": "RSA-OAEP"}),
		"for HMAC by its alg":               with(rs, fields{"alg": "HS256"}),
		"an alg that does not fit":          with(good, fields{"alg": RS256}),
		"x twice":                           rawJSON(strings.TrimSuffix(marshal(t, good), "}") + `,"x":"AA"}`),
	} {
		t.Run(name, func(t *testing.T) {
			for _, set := range [][]any{{bad, good}, {good, bad}} {
				k := keys(t, fields{"keys": set})
				if len(k.Problems()) != 1 {
					t.Errorf("problems %q, want one", k.Problems())
				}
				for _, kid := range []string{"good", ""} {
					if found, err := k.Find(t.Context(), kid, ES256); err != nil || len(found) != 1 {
						t.Errorf("kid %q: %d keys, %v", kid, len(found), err)
					}
				}
			}
			if k, err := ParseKeys([]byte(marshal(t, fields{"keys": []any{bad}}))); err == nil {
				t.Errorf("alone: %+v", k)
			}
		})
	}
}

// TestKeysWithMembersNobodyReliesOn: certificates are not looked at.
func TestKeysWithMembersNobodyReliesOn(t *testing.T) {
	k := keys(t, fields{"keys": []any{jwk(t, private()[RS256], fields{"x5c": []string{"no certificate"}, "x5t": "!", "x5u": "::", "use": "sig", "key_ops": []string{"sign", "verify"}, "iat": 1})}, "more": 1})
	if found, _ := k.Find(t.Context(), "", PS256); len(found) != 1 {
		t.Errorf("left out: %q", k.Problems())
	}
}

func TestNoJWKS(t *testing.T) {
	good := jwk(t, private()[ES256], nil)
	many := slices.Repeat([]any{good}, maxKeys+1)
	for name, text := range map[string]string{
		"nothing":            "",
		"null":               "null",
		"an array":           marshal(t, []any{good}),
		"a key":              marshal(t, good),
		"no keys":            `{"keys":[]}`,
		"keys in capitals":   marshal(t, fields{"KEYS": []any{good}}),
		"keys is an object":  marshal(t, fields{"keys": good}),
		"keys twice":         `{"keys":[],"keys":[` + marshal(t, good) + `]}`,
		"something behind":   marshal(t, fields{"keys": []any{good}}) + "x",
		"an unfinished text": `{"keys":[` + marshal(t, good),
		"HTML":               "<html>",
		"51 keys":            marshal(t, fields{"keys": many}),
		"64 KB and a byte":   marshal(t, fields{"keys": []any{good}}) + strings.Repeat(" ", maxJWKS),
		"50 useless keys":    marshal(t, fields{"keys": slices.Repeat([]any{fields{"kty": "oct", "k": "AA"}}, maxKeys)}),
		"deep":               strings.Repeat(`{"keys":[`, 7000),
	} {
		if k, err := ParseKeys([]byte(text)); err == nil {
			t.Errorf("%s: %+v", name, k)
		} else if len(err.Error()) > 400 {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
	}
	if k := keys(t, fields{"keys": many[1:]}); len(k.list) != maxKeys {
		t.Errorf("%d keys", len(k.list))
	}
}

func TestFind(t *testing.T) {
	rs, ec := private()[RS256], private()[ES256]
	k := keys(t, fields{"keys": []any{
		jwk(t, ec, fields{"kid": "a"}), jwk(t, mustKey(t), fields{"kid": "b", "alg": ES256}), jwk(t, rs, fields{"kid": "a"}),
		jwk(t, rs, fields{"kid": "ps", "alg": PS256}), jwk(t, mustKey(t), nil),
		jwk(t, mustKey(t), nil), jwk(t, mustKey(t), nil), jwk(t, mustKey(t), nil),
	}})
	for _, c := range []struct {
		kid, alg string
		want     int
	}{
		{"a", ES256, 1}, {"a", RS256, 1}, {"a", PS256, 1}, {"a", EdDSA, 0}, {"b", ES256, 1}, {"c", ES256, 0},
		{"", ES256, maxTried}, {"", RS256, 1}, {"", PS256, 2}, {"ps", RS256, 0}, {"", "none", 0}, {"", "", 0}, {"a", "HS256", 0},
	} {
		if found, _ := k.Find(t.Context(), c.kid, c.alg); len(found) != c.want {
			t.Errorf("kid %q, %s: %d keys, want %d", c.kid, c.alg, len(found), c.want)
		}
	}
}
