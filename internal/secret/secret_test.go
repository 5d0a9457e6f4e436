package secret

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAStringIsNeverPrinted(t *testing.T) {
	s := String("hunter2")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "password", s, "nested", struct{ P String }{s})
	asJSON, err := json.Marshal(map[string]any{"p": s})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %s %#v %+v", s, s, s, struct{ P String }{s}), log.String(), string(asJSON)} {
		if strings.Contains(text, "hunter2") {
			t.Errorf("printed: %s", text)
		}
	}
	if s.Reveal() != "hunter2" {
		t.Error("Reveal does not")
	}
}

func ringFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func line(b byte) string { return base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{b}, 32)) }

func TestRollingTheKeyOver(t *testing.T) {
	old, err := ReadRing(ringFile(t, line(1)))
	if err != nil {
		t.Fatal(err)
	}
	sealed := old.Seal("purpose", "context", []byte("text"))
	both, err := ReadRing(ringFile(t, line(2), "", line(1)))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := both.Open("purpose", "context", sealed); err != nil || string(plain) != "text" {
		t.Errorf("the old key below the new one: %q, %v", plain, err)
	}
	again := both.Seal("purpose", "context", []byte("text"))
	if _, err := old.Open("purpose", "context", again); !errors.Is(err, ErrSealed) {
		t.Error("the first line does not seal")
	}
	for name, c := range map[string][2]string{"purpose": {"other", "context"}, "context": {"purpose", "other"}} {
		if _, err := old.Open(c[0], c[1], sealed); !errors.Is(err, ErrSealed) {
			t.Errorf("opens under another %s", name)
		}
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := old.Open("purpose", "context", bad); err == nil {
			t.Fatalf("opens with byte %d changed", i)
		}
	}
	if _, err := old.Open("purpose", "context", nil); !errors.Is(err, ErrSealed) {
		t.Error("opens nothing")
	}
	keys := both.Derive("cookie")
	if !Verify(keys, []byte("m"), MAC(old.Derive("cookie"), []byte("m"))[0]) {
		t.Error("what the old key signed is refused")
	}
	if Verify(keys, []byte("m"), MAC(old.Derive("other"), []byte("m"))[0]) {
		t.Error("a key for another purpose signs")
	}
}

func TestBadKeyFiles(t *testing.T) {
	for name, lines := range map[string][]string{
		"empty": {""}, "short": {line(1)[:40]}, "no base64": {strings.Repeat("!", 43)}, "many": strings.Split(strings.Repeat(line(1)+"\n", 17), "\n"),
	} {
		if _, err := ReadRing(ringFile(t, lines...)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestWriteNewNeverReplaces(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	r := NewRing()
	if err := r.WriteNew(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v: want mode 0600", info, err)
	}
	if err := NewRing().WriteNew(path); err == nil {
		t.Error("an existing key file was replaced")
	}
	read, err := ReadRing(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := read.Open("p", "c", r.Seal("p", "c", nil)); err != nil {
		t.Error("what was written is not what is read")
	}
}
