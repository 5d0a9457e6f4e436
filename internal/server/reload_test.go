package server

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"idp/internal/config"
	"idp/internal/store"
)

// A reload that gives tokens a longer life tells the signing keys, or a retired
// key would be gone before the last token it signed.
func TestReloadTellsTheKeysHowLongTokensLive(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	load := func(accessToken time.Duration) *config.Config {
		c := config.Default()
		c.Database, c.SecretKeyFile = "sqlite:"+filepath.Join(dir, "idp.db"), filepath.Join(dir, "idp.key")
		c.Lifetimes.AccessToken = config.Duration(accessToken)
		return c
	}
	s, err := Open(ctx, Options{Config: load(5 * time.Minute), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	published := func() time.Duration {
		if err := s.keys.Rotate(ctx, store.Entry{Actor: "test"}); err != nil {
			t.Fatal(err)
		}
		rows, err := s.store.SigningKeys(ctx)
		if err != nil {
			t.Fatal(err)
		}
		longest := store.Millis(0)
		for _, r := range rows {
			longest = max(longest, r.ExpiresAt-r.RetiredAt)
		}
		return time.Duration(longest) * time.Millisecond
	}
	before := published()
	if err := s.Reload(ctx, load(3*time.Hour+5*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if after := published(); after != before+3*time.Hour {
		t.Errorf("retired keys stay published for %s, before the reload %s: want 3 hours more", after, before)
	}
}
