package tokens

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"idp/internal/secret"
)

func TestRefreshTokenFormat(t *testing.T) {
	old, now := secret.NewRing().Derive("refresh token"), secret.NewRing().Derive("refresh token")
	family := secret.ID()
	issued, err := refreshTokens{old}.EncodeRefresh(family, 7)
	if err != nil {
		t.Fatal(err)
	}
	both := refreshTokens{append(slices.Clone(now), old...)}
	if f, g, err := both.DecodeRefresh(issued); f != family || g != 7 || err != nil {
		t.Errorf("decoded %s %d %v", f, g, err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(issued.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	bad := map[string]string{
		"another key's": "", "empty": "", "short": issued.Reveal()[1:], "long": issued.Reveal() + "A",
		"line breaks": issued.Reveal()[:15] + strings.Repeat("\n", 60), "no base64": strings.Repeat("!", len(issued)),
	}
	foreign, err := refreshTokens{secret.NewRing().Derive("refresh token")}.EncodeRefresh(family, 7)
	if err != nil {
		t.Fatal(err)
	}
	bad["another key's"] = foreign.Reveal()
	for i := range raw {
		forged := slices.Clone(raw)
		forged[i] ^= 1
		bad["byte "+string(rune('0'+i))] = base64.RawURLEncoding.EncodeToString(forged)
	}
	for name, token := range bad {
		if _, _, err := both.DecodeRefresh(secret.String(token)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzRefreshToken(f *testing.F) {
	tokens := refreshTokens{secret.NewRing().Derive("refresh token")}
	good, err := tokens.EncodeRefresh(secret.ID(), 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good.Reveal())
	f.Add(strings.Repeat("\n", 75))
	f.Fuzz(func(t *testing.T, text string) {
		if family, generation, err := tokens.DecodeRefresh(secret.String(text)); err == nil {
			again, err := tokens.EncodeRefresh(family, generation)
			if err != nil || again.Reveal() != text {
				t.Errorf("%q decodes to what encodes otherwise", text)
			}
		}
	})
}
