package server_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/config"
	"idp/internal/secret"
	"idp/internal/server"
	"idp/internal/store/storetest"
)

// After one start with a new key on top, nothing in the database needs the old
// one: its line can be removed, which is the point of replacing a key that leaked.
func TestTheOldSecretKeyCanBeRemovedAfterOneStart(t *testing.T) {
	t.Parallel()
	storetest.EachURL(t, func(t *testing.T, url string) {
		c := config.Default()
		c.Database, c.SecretKeyFile = url, filepath.Join(t.TempDir(), "idp.key")
		// start returns the public keys of a server that was started and stopped.
		start := func(lines ...string) (string, error) {
			if len(lines) > 0 {
				if err := os.WriteFile(c.SecretKeyFile, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			s, err := server.Open(context.Background(), server.Options{Config: c, Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				return "", err
			}
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, httptest.NewRequest("GET", c.Issuer+"/jwks", nil))
			return rec.Body.String(), s.Close()
		}
		first, err := start()
		if err != nil || !strings.Contains(first, `"kid"`) {
			t.Fatalf("first start: %v, %s", err, first)
		}
		text, err := os.ReadFile(c.SecretKeyFile)
		if err != nil {
			t.Fatal(err)
		}
		old, fresh := strings.TrimSpace(string(text)), secret.Token().Reveal()
		for _, step := range []struct {
			name  string
			lines []string
		}{
			{"new key below", []string{old, fresh}}, {"new key on top", []string{fresh, old}},
			{"still both", []string{fresh, old}}, {"old key removed", []string{fresh}},
		} {
			got, err := start(step.lines...)
			if err != nil {
				t.Fatalf("%s: %v", step.name, err)
			}
			if d := cmp.Diff(first, got); d != "" {
				t.Errorf("%s: other signing keys: %s", step.name, d)
			}
		}
		if _, err := start(old); err == nil {
			t.Error("the old key alone is taken although nothing is sealed with it")
		}
	})
}
