// Package chromium runs a real, headless Chromium for tests, as an employee's
// with a Kerberos ticket or as anybody's.
package chromium

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"idp/internal/idptest/private"
)

// Start starts a headless Chromium with a fresh profile, which sends tickets
// to *.localhost when allow is "*.localhost". env is added to its environment:
// KRB5_CONFIG and KRB5CCNAME make it an employee's. It ends with the test.
func Start(t testing.TB, allow string, env ...string) context.Context {
	t.Helper()
	profile := newProfile(t)
	// A fresh profile refuses GSSAPI on Linux until it has seen a challenge.
	state := `{"net":{"received_http_auth_negotiate_headers":true}}`
	if err := os.WriteFile(filepath.Join(profile, "Local State"), []byte(state), 0o600); err != nil {
		t.Fatal(err)
	}
	return start(t, find(t), profile, env, chromedp.Flag("auth-server-allowlist", allow))
}

// StartTrusting starts one that believes whoever has the key of a certificate in PEM,
// and sends no tickets.
func StartTrusting(t testing.TB, certificate []byte) context.Context {
	t.Helper()
	block, _ := pem.Decode(certificate)
	if block == nil {
		t.Fatal("no PEM")
	}
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key := sha256.Sum256(parsed.RawSubjectPublicKeyInfo)
	return start(t, find(t), newProfile(t), nil,
		chromedp.Flag("ignore-certificate-errors-spki-list", base64.StdEncoding.EncodeToString(key[:])))
}

// StartManaged starts one that may send tickets only where a policy says so, among
// the files of the folder etc, which are laid over /etc. Its profile is as fresh
// as a new employee's.
func StartManaged(t testing.TB, etc string, env ...string) context.Context {
	t.Helper()
	return start(t, private.Program(t, find(t), etc), newProfile(t), env)
}

func find(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("Chromium is missing: %v (apt-get install chromium)", err)
	}
	return path
}

// newProfile is not t.TempDir, whose end comes before the browser's.
func newProfile(t testing.TB) string {
	t.Helper()
	profile, err := os.MkdirTemp("", "chromium-")
	if err != nil {
		t.Fatal(err)
	}
	return profile
}

func start(t testing.TB, path, profile string, env []string, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], //nolint:gocritic // a copy is wanted
		chromedp.ExecPath(path), chromedp.UserDataDir(profile), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Env(append([]string{"HOME=" + profile}, env...)...))
	opts = append(opts, more...)
	alloc, cancelAlloc := chromedp.NewExecAllocator(context.Background(), opts...)
	ctx, cancel := chromedp.NewContext(alloc)
	ctx, cancelTime := context.WithTimeout(ctx, 5*time.Minute)
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
	photograph(ctx, t, name, chromedp.CaptureScreenshot)
}

// PhotographWhole is Photograph of the whole page, as far down as it goes.
func PhotographWhole(ctx context.Context, t testing.TB, name string) {
	t.Helper()
	photograph(ctx, t, name, func(png *[]byte) chromedp.Action { return chromedp.FullScreenshot(png, 100) })
}

func photograph(ctx context.Context, t testing.TB, name string, take func(png *[]byte) chromedp.Action) {
	t.Helper()
	dir := os.Getenv("IDP_PHOTOS")
	if dir == "" {
		return
	}
	var png []byte
	if err := chromedp.Run(ctx, take(&png)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(name, "/", "-")+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
