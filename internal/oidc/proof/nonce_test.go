package proof

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"idp/internal/secret"
)

func TestNonces(t *testing.T) {
	ring := secret.NewRing()
	n, node := NewNonces(ring), NewNonces(ring)
	minute := now.Truncate(time.Minute)
	nonce := n.Issue(minute.Add(30 * time.Second))
	if nonce != node.Issue(minute) || len(nonce) != 27 {
		t.Errorf("%q: not what another node issues in the same minute", nonce)
	}
	if nonce == n.Issue(minute.Add(time.Minute)) {
		t.Error("the same in the next minute")
	}
	for at, want := range map[time.Duration]bool{
		-time.Minute - time.Millisecond: false, -time.Minute: true, 0: true, 59 * time.Second: true,
		3*time.Minute - time.Millisecond: true, 3 * time.Minute: false, time.Hour: false, -time.Hour: false,
	} {
		if node.Accept(nonce, minute.Add(at)) != want {
			t.Errorf("%s after its minute began: accepted is %t", at, !want)
		}
	}
	if NewNonces(secret.NewRing()).Accept(nonce, minute) {
		t.Error("accepted with another secret_key_file")
	}
	for name, text := range map[string]string{
		"empty": "", "short": nonce[:26], "long": nonce + "A", "no base64": strings.Repeat("!", 27), "padded": nonce[:26] + "=",
		"with a line break": nonce[:13] + "\n" + nonce[13:26], "zeros": strings.Repeat("A", 27), "huge": strings.Repeat("A", 1<<20),
	} {
		if n.Accept(text, minute) {
			t.Errorf("%s: accepted", name)
		}
	}
	raw, err := base64url.DecodeString(nonce)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		raw[i] ^= 1
		if n.Accept(base64url.EncodeToString(raw), minute) {
			t.Errorf("accepted with byte %d changed", i)
		}
		raw[i] ^= 1
	}
}

// TestNoncesOfAnOldKey: what was issued before a key was put on top is still good.
func TestNoncesOfAnOldKey(t *testing.T) {
	old, fresh := secret.Token().Reveal(), secret.Token().Reveal()
	read := func(lines ...string) *Nonces {
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
			t.Fatal(err)
		}
		ring, err := secret.ReadRing(path)
		if err != nil {
			t.Fatal(err)
		}
		return NewNonces(ring)
	}
	both := read(fresh, old)
	if !both.Accept(read(old).Issue(now), now) {
		t.Error("the old key's nonce is refused")
	}
	if !read(fresh).Accept(both.Issue(now), now) {
		t.Error("the first line does not sign")
	}
}
