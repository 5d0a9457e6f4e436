package keys

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/store"
)

// The example of RFC 8037, appendix A.
const (
	rfc8037Private    = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A" // A.1, d
	rfc8037Public     = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" // A.2, x
	rfc8037Thumbprint = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" // A.3
	rfc8037Signed     = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
	rfc8037Signature  = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg" // A.4
)

func rfc8037Key(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	seed, err := base64.RawURLEncoding.DecodeString(rfc8037Private)
	if err != nil {
		t.Fatal(err)
	}
	return ed25519.NewKeyFromSeed(seed)
}

func TestEdDSAIsThatOfRFC8037(t *testing.T) {
	private, err := bind(EdDSA, rfc8037Key(t))
	if err != nil {
		t.Fatal(err)
	}
	if kid, err := thumbprint(private.Public()); err != nil || kid != rfc8037Thumbprint {
		t.Errorf("A.3: %s, %v", kid, err)
	}
	signature, err := private.sign([]byte(rfc8037Signed))
	if got := base64.RawURLEncoding.EncodeToString(signature); err != nil || got != rfc8037Signature {
		t.Errorf("A.4: %s, %v", got, err)
	}
	if !private.verify([]byte(rfc8037Signed), signature) {
		t.Error("A.5: the signature does not verify")
	}
	if private.verify([]byte(rfc8037Signed+"A"), signature) || private.verify([]byte(rfc8037Signed), signature[1:]) || private.verify([]byte(rfc8037Signed), nil) {
		t.Error("another text, or a signature cut off, verifies")
	}
}

// What is published of a key, name by name: RFC 7518 §6, RFC 8037 §2.
func TestJWKSHoldsWhatTheSpecsSay(t *testing.T) {
	c := newCluster(t)
	der, err := x509.MarshalPKCS8PrivateKey(rfc8037Key(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.store.AddSigningKey(t.Context(), store.SigningKey{
		Kid: rfc8037Thumbprint, Algorithm: EdDSA, Sealed: c.ring.Seal(sealPurpose, rfc8037Thumbprint, der),
		CreatedAt: c.now().UnixMilli(), ActiveAt: c.now().UnixMilli(),
	}, store.Entry{}); err != nil {
		t.Fatal(err)
	}
	k := c.node()
	c.pass(refreshAtMost)
	need(t, k, PS256) // the newest, and yet behind RS256
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(k.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	var algs []string
	for _, key := range set.Keys {
		alg := key["alg"]
		algs = append(algs, alg)
		public := map[string][]string{RS256: {"RSA", "n", "e"}, PS256: {"RSA", "n", "e"}, ES256: {"EC", "crv", "x", "y"}, EdDSA: {"OKP", "crv", "x"}}[alg]
		if key["kty"] != public[0] || key["use"] != "sig" || key["kid"] == "" || len(key) != 3+len(public) {
			t.Errorf("%s: %v", alg, key)
		}
		for _, name := range public[1:] {
			if key[name] == "" {
				t.Errorf("%s: no %s: %v", alg, name, key)
			}
		}
	}
	if diff := cmp.Diff(Algorithms, algs); diff != "" {
		t.Error("order:", diff)
	}
	want := map[string]string{"kty": "OKP", "crv": "Ed25519", "x": rfc8037Public, "kid": rfc8037Thumbprint, "alg": "EdDSA", "use": "sig"}
	if diff := cmp.Diff(want, set.Keys[len(set.Keys)-1]); diff != "" {
		t.Error("Ed25519:", diff)
	}
	if set.Keys[0]["n"] == set.Keys[2]["n"] {
		t.Error("RS256 and PS256 share a key")
	}
	head, _, _ := strings.Cut(sign(t, k, EdDSA, TypeIDToken, `{}`), ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || !bytes.Contains(raw, []byte(`"alg":"EdDSA"`)) {
		t.Errorf("JOSE header %s, %v", raw, err)
	}
}

func TestAKeySignsWithItsAlgorithmOnly(t *testing.T) {
	private := map[string]any{}
	for _, alg := range Algorithms {
		var err error
		if private[alg], err = generate(alg); err != nil {
			t.Fatal(err)
		}
	}
	private["P-384"], _ = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	for kind, key := range private {
		for _, alg := range append([]string{"none", "HS256", ""}, Algorithms...) {
			fits := kind == alg || kind == RS256 && alg == PS256 || kind == PS256 && alg == RS256 // the kind does not tell these two
			if _, err := bind(alg, key); (err == nil) != fits {
				t.Errorf("a key made for %s as %q: %v", kind, alg, err)
			}
		}
	}
	if _, err := generate("none"); err == nil {
		t.Error("a key for none")
	}
}

// The example of OIDC Core §A.3, and the same token's SHA-512.
func TestHalfHash(t *testing.T) {
	const token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
	for alg, want := range map[string]string{
		RS256: "77QmUPtjPfzWtF2AnpK9RQ", ES256: "77QmUPtjPfzWtF2AnpK9RQ", PS256: "77QmUPtjPfzWtF2AnpK9RQ",
		EdDSA: "q7nS86GgvvFaZkzALLWqJYaJIKw2wCDAVfCAsm5CrBM",
	} {
		if got := HalfHash(alg, token); got != want {
			t.Errorf("%s: %s, want %s", alg, got, want)
		}
	}
}
