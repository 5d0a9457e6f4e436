package keys

import (
	"strings"
	"testing"
)

func BenchmarkSign(b *testing.B) {
	k := newCluster(b).node()
	claims := []byte(`{"iss":"https://idp.example.com","sub":"` + strings.Repeat("x", 400) + `"}`)
	for _, alg := range Algorithms {
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sign(b, k, alg, TypeAccessToken, string(claims))
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	k := newCluster(b).node()
	for _, alg := range Algorithms {
		token := sign(b, k, alg, TypeAccessToken, `{"sub":"`+strings.Repeat("x", 400)+`"}`)
		b.Run(alg, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := k.Verify(token, alg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
