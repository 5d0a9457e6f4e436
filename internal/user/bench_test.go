package user

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// The most expensive hashes that can be imported, and ours: what a login costs.
func BenchmarkVerify(b *testing.B) {
	sum := func(n int) string { return base64.RawStdEncoding.EncodeToString(make([]byte, n)) }
	for name, text := range map[string]string{
		"ours":          encode(make([]byte, argonSalt), make([]byte, argonKey)),
		"argon2id":      fmt.Sprintf("$argon2id$v=19$m=%d,t=3,p=1$%s$%s", maxArgonMemory, sum(16), sum(32)),
		"bcrypt":        fmt.Sprintf("$2b$%d$%s", 14, strings.Repeat("e", 53)),
		"pbkdf2-sha256": fmt.Sprintf("pbkdf2_sha256$%d$salt$%s", 1_600_000, sum(32)),
		"pbkdf2-sha512": fmt.Sprintf("pbkdf2_sha512$%d$salt$%s", 888_000, sum(64)),
		"scrypt":        fmt.Sprintf("$scrypt$ln=17,r=8,p=3$%s$%s", sum(16), sum(32)),
	} {
		b.Run(name, func(b *testing.B) {
			h := NewHasher()
			for b.Loop() {
				if _, _, err := h.Verify(b.Context(), text, "not it"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
