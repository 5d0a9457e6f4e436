package proof

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/json"
)

// joseAlgorithms are ours, as far as the library has them: it knows Ed25519 as
// EdDSA only.
func joseAlgorithms() (all []jose.SignatureAlgorithm) {
	for _, alg := range Algorithms(false) {
		if alg == named(alg) {
			all = append(all, jose.SignatureAlgorithm(alg))
		}
	}
	return all
}

// agrees demands that another implementation of RFC 7515 verifies text too, if it
// reads it: go-jose looks at parameters that we ignore.
func agrees(t *testing.T, text string, key *Key) {
	t.Helper()
	o, err := jose.ParseSignedCompact(text, joseAlgorithms())
	if err != nil || o.Signatures[0].Protected.ExtraHeaders["b64"] != nil {
		return
	}
	if _, err := o.Verify(key.jwk.Key); err != nil {
		t.Fatalf("go-jose does not verify it: %v", err)
	}
}

// FuzzAssertion: nothing panics, errors are *Error, and what is accepted says of
// itself what the rules demand. A fuzzer makes no signatures, so header and claims
// are signed here when there is no text.
func FuzzAssertion(f *testing.F) {
	k := registered(f)
	for alg, key := range private() {
		f.Add(sign(f, key, alg, fields{"alg": alg, "kid": alg}, assertion()), "", "", false)
	}
	f.Add("a.b.c", "", "", false)
	f.Add("", `{"alg":"ES256","typ":"JWT"}`, marshal(f, with(assertion(), fields{"aud": []string{endpoint, issuer}})), false)
	f.Add("", `{"alg":"ES256","kid":"ES256"}`, marshal(f, with(assertion(), fields{"nbf": now.Unix()})), true)
	f.Add("", `{"alg":"HS256","crit":["b64"]}`, "{}", true)
	f.Fuzz(func(t *testing.T, text, header, claims string, fapi bool) {
		if text == "" && len(header)+len(claims) < 8000 {
			text = sign(t, private()[ES256], ES256, header, claims)
		}
		r := rules()
		r.FAPI = fapi
		c, err := ParseAssertion(text)
		var a *Assertion
		if err == nil {
			a, err = c.Verify(t.Context(), r, k.Find)
		}
		if err != nil {
			if !errors.As(err, new(*Error)) {
				t.Errorf("%v is no *Error", err)
			}
			return
		}
		if c.Client() != client || a.Subject != client || a.Once.Until.Before(now) || fapi && c.jws.header.Alg == RS256 {
			t.Errorf("accepted: %s, %s", c.jws.header.Alg, c.jws.claims)
		}
		found, _ := k.Find(t.Context(), c.jws.header.Kid, c.jws.header.Alg)
		if len(found) == 0 {
			t.Fatal("accepted without a key")
		}
		agrees(t, text, found[0])
	})
}

// FuzzDPoP: the same for proofs. A fuzzer makes no signatures, so the claims and
// the header's additions are signed here.
func FuzzDPoP(f *testing.F) {
	for alg, key := range private() {
		f.Add(sign(f, key, alg, proofHeader(f, alg), proofClaims()), "", "")
	}
	f.Add("", `{"typ":"dpop+jwt","alg":"ES256"}`, marshal(f, proofClaims()))
	f.Add("", marshal(f, proofHeader(f, ES256)), marshal(f, with(proofClaims(), fields{"htu": "HTTPS://sso.example.com:443/tok%65n?x#y"})))
	f.Fuzz(func(t *testing.T, text, header, claims string) {
		if text == "" && len(header)+len(claims) < 4000 {
			text = sign(t, private()[ES256], ES256, header, claims)
		}
		p, err := VerifyDPoP([]string{text}, request())
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Nonce {
				t.Errorf("%v is no *Error, or about a nonce", err)
			}
			return
		}
		var head struct {
			JWK *json.RawMessage `json:"jwk"`
		}
		encoded, _, _ := strings.Cut(text, ".")
		raw, err1 := base64url.DecodeString(encoded)
		err2 := json.Unmarshal(raw, &head)
		if err1 != nil || err2 != nil || head.JWK == nil {
			t.Fatalf("accepted without a key: %s", raw)
		}
		key, err := parseKey(*head.JWK)
		if err != nil {
			t.Fatal(err)
		}
		agrees(t, text, key)
		if until := p.Once.Until; until.Before(now) || until.After(now.Add(proofAge+skew)) || len(p.Thumbprint) != 43 {
			t.Errorf("accepted: %+v", p)
		}
	})
}

// FuzzKeys: what is read is public, strong, and read again from what it is written
// as.
func FuzzKeys(f *testing.F) {
	for _, key := range private() {
		f.Add(marshal(f, fields{"keys": []any{jwk(f, key, fields{"kid": "a", "use": "sig"})}}))
		f.Add(marshal(f, fields{"keys": []any{jose.JSONWebKey{Key: key}, jwk(f, key, fields{"alg": "x"})}}))
	}
	f.Add(`{"keys":[{"kty":"oct","k":"AA"},{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"},{}]}`)
	f.Add(`{"keys":[{"kty":"RSA","n":"_w","e":"AQAB","x5c":["AA"]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		k, err := ParseKeys([]byte(text))
		if err != nil {
			if len(err.Error()) > 400 {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			return
		}
		for _, key := range k.list {
			written, err := key.jwk.MarshalJSON()
			if err != nil || !key.jwk.IsPublic() || !key.jwk.Valid() || len(key.algs) == 0 {
				t.Fatalf("%s, %v", written, err)
			}
			again, err := parseKey(written)
			if err != nil || thumb(t, again) != thumb(t, key) {
				t.Errorf("%s is not read again: %v", written, err)
			}
			for _, alg := range key.algs {
				if key.verify(alg, "x.y", make([]byte, 64)) {
					t.Errorf("a signature of zeros verifies with %s", written)
				}
			}
		}
	})
}

func thumb(t *testing.T, k *Key) string {
	t.Helper()
	sum, err := k.thumbprint()
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// FuzzHTU: comparing is symmetric, and never takes another host, scheme or path for
// ours.
func FuzzHTU(f *testing.F) {
	f.Add("HTTPS://SSO.example.com:443/tok%65n?x#y")
	f.Add("https://sso.example.com@evil.example/token")
	f.Fuzz(func(t *testing.T, htu string) {
		same := sameURL(htu, endpoint)
		if same != sameURL(endpoint, htu) {
			t.Error("not symmetric")
		}
		if n, ok := normal(htu); ok {
			if again, ok := normal(n); !ok || again != n {
				t.Errorf("%q becomes %q, and that %q", htu, n, again)
			}
		}
		if same && !strings.HasPrefix(strings.ToLower(htu), "https://sso.example.com") {
			t.Error("another place is taken for ours")
		}
	})
}

// FuzzNonce: only what was issued is accepted.
func FuzzNonce(f *testing.F) {
	n := &Nonces{keys: [][]byte{make([]byte, 32)}}
	f.Add(n.Issue(now))
	f.Add("")
	f.Fuzz(func(t *testing.T, nonce string) {
		if !n.Accept(nonce, now) {
			return
		}
		for back := range 4 {
			if nonce == n.Issue(now.Add(time.Duration(1-back)*time.Minute)) {
				return
			}
		}
		t.Errorf("%q was never issued", nonce)
	})
}
