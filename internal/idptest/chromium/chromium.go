// Package chromium runs a real, headless Chromium for tests, as an employee's
// with a Kerberos ticket or as anybody's.
package chromium

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// Start starts a headless Chromium with a fresh profile, which sends tickets
// to *.localhost when allow is "*.localhost". env is added to its environment:
// KRB5_CONFIG and KRB5CCNAME make it an employee's. It ends with the test.
func Start(t testing.TB, allow string, env ...string) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("Chromium is missing: %v (apt-get install chromium)", err)
	}
	profile, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		t.Fatal(err)
	}
	// A fresh profile refuses GSSAPI on Linux until it has seen a challenge.
	state := `{"net":{"received_http_auth_negotiate_headers":true}}`
	if err := os.WriteFile(filepath.Join(profile, "Local State"), []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], //nolint:gocritic // a copy is wanted
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("auth-server-allowlist", allow),
		chromedp.Env(append([]string{"HOME=" + profile}, env...)...))
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	ctx, cancelTime := context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits until it has ended, so that its profile can go
		cancelTime()
		cancel()
		cancelAlloc()
		_ = os.RemoveAll(profile)
	})
	if err := chromedp.Run(ctx); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return ctx
}

// Photograph writes a PNG of what the browser shows to $IDP_PHOTOS/name.png;
// nothing when that is not set.
func Photograph(ctx context.Context, t testing.TB, name string) {
	t.Helper()
	dir := os.Getenv("IDP_PHOTOS")
	if dir == "" {
		return
	}
	var png []byte
	if err := chromedp.Run(ctx, chromedp.CaptureScreenshot(&png)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
