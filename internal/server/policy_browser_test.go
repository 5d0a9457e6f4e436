//go:build browser

package server_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"idp/internal/browserpolicy"
	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
	"idp/internal/idptest/firefox"
	"idp/internal/kerberos/krbtest"
)

// installed is a folder to be laid over /etc: it holds the policy file of that
// name for an issuer, where the file says that it goes for a browser.
func installed(t *testing.T, issuer, name, browser string) (etc string) {
	t.Helper()
	u, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	f, ok := browserpolicy.ByName(u, name)
	if !ok || f.Tried == "" {
		t.Fatalf("%s: there is no such file, or it says it was not tried", name)
	}
	etc = t.TempDir()
	for _, p := range f.Places {
		if below, ok := strings.CutPrefix(p.Path, "/etc/"); ok && p.For == browser {
			path := filepath.Join(etc, below)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, f.Content, 0o644); err != nil {
				t.Fatal(err)
			}
			return etc
		}
	}
	t.Fatalf("%s names no place below /etc for %s", name, browser)
	return ""
}

// aliceEnv is the environment of a program that has alice's ticket.
func aliceEnv(t *testing.T, realm *krbtest.Realm) []string {
	t.Helper()
	ccache, err := realm.Kinit("alice", krbtest.AlicePassword)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"KRB5_CONFIG=" + realm.Krb5Conf, "KRB5CCNAME=" + ccache}
}

// tested clicks on the set-up page's button and returns what the answer says.
func tested(ctx context.Context, t *testing.T, w *world, photo string) (h1, causes string) {
	t.Helper()
	run(ctx, t, "the page", chromedp.Navigate(w.idp.Issuer+"/setup"))
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := chromedp.RunResponse(limited, chromedp.Click(".primary")); err != nil {
		t.Fatal(err)
	}
	run(ctx, t, "the answer", chromedp.Text("h1", &h1), chromedp.Text("main", &causes))
	chromium.Photograph(ctx, t, photo)
	return h1, causes
}

const (
	testedYes = "Yes. This browser logs in silently"
	testedNo  = "No. This browser did not send a ticket"
)

// A new employee's Chromium: it is allowed by the policy file alone, and answers
// from the second challenge on, as the page says.
func TestChromiumLogsInSilentlyByThePolicyFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := chromium.StartManaged(t, installed(t, w.idp.Issuer, "chrome-edge-linux.json", "Chromium"), aliceEnv(t, w.realm)...)
	if got, causes := tested(ctx, t, w, "setup-test-first"); got != testedNo || !strings.Contains(causes, "first time") {
		t.Errorf("the first time: %q, and %q", got, causes)
	}
	if got, _ := tested(ctx, t, w, "setup-test-yes"); got != testedYes {
		t.Errorf("the second time: %q", got)
	}
	if err := open(ctx, w.sites[0].url); err != nil {
		t.Fatal(err)
	}
	if got := who(ctx, t); got != "alice by [wia]" {
		t.Errorf("the site shows %q", got)
	}
}

func TestChromiumWithAnotherSitesPolicyFileSendsNoTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := chromium.StartManaged(t, installed(t, "https://sso.example.com", "chrome-edge-linux.json", "Chromium"), aliceEnv(t, w.realm)...)
	for range 2 {
		if got, _ := tested(ctx, t, w, "setup-test-no"); got != testedNo {
			t.Errorf("%q: the policy file does not decide it", got)
		}
	}
}

func TestChromiumWithoutATicketIsToldSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got, causes := tested(w.stranger(t), t, w, "setup-test-stranger"); got != testedNo || !strings.Contains(causes, "has no ticket") {
		t.Errorf("%q, and %q", got, causes)
	}
}

// opens waits for what Firefox did, in the server's log.
func opens(t *testing.T, s *idptest.Server, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := s.Log.Await(ctx, words...); err != nil {
		t.Fatalf("Firefox: %v\n%s", err, s.Log)
	}
}

func TestFirefoxLogsInSilentlyByThePolicyFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	firefox.Open(t, w.idp.Issuer+"/account", installed(t, w.idp.Issuer, "firefox-policies.json", "Linux"), aliceEnv(t, w.realm)...)
	opens(t, w.idp, `route="GET /account"`, "status=200", "user=alice")
}

func TestFirefoxWithAnotherSitesPolicyFileSendsNoTicket(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	firefox.Open(t, w.idp.Issuer+setupTest, installed(t, "https://sso.example.com", "firefox-policies.json", "Linux"), aliceEnv(t, w.realm)...)
	opens(t, w.idp, `route="GET /static/"`) // the 401's body is shown
	if n := len(w.idp.Log.Lines("login=setup-test", "status=401")); n != 1 || len(w.idp.Log.Lines("user=alice")) > 0 {
		t.Errorf("%d challenges, want one that is not answered:\n%s", n, w.idp.Log)
	}
}

// It needs no AllowNonFQDN for it, which would send tickets to all such names.
func TestFirefoxSendsATicketToANameWithoutADot(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	s := idptest.Start(t, idptest.Options{Host: "localhost", YAML: idptest.KerberosYAML(realm)})
	firefox.Open(t, s.Issuer+setupTest, installed(t, s.Issuer, "firefox-policies.json", "Linux"), aliceEnv(t, realm)...)
	opens(t, s, "login=setup-test", "status=200", "user=alice")
}
