package proof

import (
	"testing"
	"time"

	"idp/internal/secret"
)

func BenchmarkAssertion(b *testing.B) {
	k := registered(b)
	for _, alg := range Algorithms(false) {
		text := sign(b, private()[alg], alg, fields{"alg": alg, "kid": alg}, assertion())
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				c, err := ParseAssertion(text)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := c.Verify(b.Context(), rules(), k.Find); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDPoP(b *testing.B) {
	n := NewNonces(secret.NewRing())
	r := request()
	r.Nonce = func(nonce string) bool { return n.Accept(nonce, now) }
	for _, alg := range Algorithms(false) {
		headers := []string{sign(b, private()[alg], alg, proofHeader(b, alg), with(proofClaims(), fields{"nonce": n.Issue(now)}))}
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := VerifyDPoP(headers, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkSignature is what an ES256 signature costs without anything around it.
func BenchmarkSignature(b *testing.B) {
	text := sign(b, private()[ES256], ES256, fields{"alg": ES256}, assertion())
	j, err := parse(text, maxAssertion)
	if err != nil {
		b.Fatal(err)
	}
	found, _ := registered(b).Find(b.Context(), ES256, ES256)
	for b.Loop() {
		if !found[0].verify(ES256, j.signed, j.signature) {
			b.Fatal("does not verify")
		}
	}
}

func BenchmarkNonce(b *testing.B) {
	n := NewNonces(secret.NewRing())
	nonce := n.Issue(now)
	for b.Loop() {
		if !n.Accept(nonce, now.Add(time.Minute)) {
			b.Fatal("refused")
		}
	}
}
