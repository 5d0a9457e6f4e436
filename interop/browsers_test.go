//go:build interop

package interop_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
	"idp/internal/kerberos/krbtest/sambatest"
)

// patience is how long a browser may take, its start included.
const patience = time.Minute

// site is a relying party that tells the test who arrived: "/" sends the browser
// to log in, "/callback" takes the code.
type site struct {
	url   string
	idp   *idptest.Server
	auth  *idptest.Auth
	codes chan string
}

// newSite starts a site, and an idp with this kerberos section that knows it.
func newSite(t *testing.T, kerberos string) *site {
	t.Helper()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	w := &site{url: strings.Replace(srv.URL, "127.0.0.1", "site.localhost", 1), codes: make(chan string, 1)}
	w.auth = idptest.NewAuth("site", w.url+"/callback")
	w.idp = idptest.Start(t, idptest.Options{YAML: kerberos, Clients: fmt.Sprintf(
		"  - {client_id: site, client_name: Site, client_secret_file: wiki.secret, redirect_uris: [%q]}\n", w.url+"/callback")})
	mux.HandleFunc("GET /{$}", func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, w.idp.Issuer+w.auth.URL(), http.StatusSeeOther)
	})
	mux.HandleFunc("GET /callback", func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(rw, "welcome")
		if q := r.URL.Query(); q.Get("state") == w.auth.Query.Get("state") {
			w.codes <- q.Get("code")
		}
	})
	return w
}

// who waits until somebody arrives.
func (w *site) who(t *testing.T) person {
	t.Helper()
	select {
	case code := <-w.codes:
		return redeem(t, w.idp, w.auth, code)
	case <-time.After(patience):
		t.Fatalf("nobody arrived within %s\n%s", patience, w.idp.Log)
		return person{}
	}
}

// firefox opens a URL in a headless Firefox with a fresh profile, which sends
// tickets to the hosts of trusted. It ends with the test.
func firefox(t *testing.T, trusted, url string, env ...string) {
	t.Helper()
	profile, err := os.MkdirTemp("", "firefox-")
	must(t, err)
	prefs := fmt.Sprintf(firefoxPrefs, trusted)
	must(t, os.WriteFile(filepath.Join(profile, "user.js"), []byte(prefs), 0o600))
	cmd := exec.Command("firefox-esr", "--headless", "--no-remote", "--profile", profile, url)
	cmd.Env = append(os.Environ(), append(env, "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with its content processes
		_ = cmd.Wait()
		_ = os.RemoveAll(profile)
	})
}

// firefoxPrefs make a profile that opens no page and calls nobody of its own.
const firefoxPrefs = `user_pref("network.negotiate-auth.trusted-uris", "%s");
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
user_pref("app.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
`

// employee makes a person of the domain, and the environment of their desk.
func employee(t *testing.T, d *sambatest.Domain, name string) []string {
	t.Helper()
	must(t, d.AddUser(sambatest.User{Name: name, Password: password}))
	ccache, err := d.Kinit(name, password)
	must(t, err)
	return []string{"KRB5_CONFIG=" + d.Krb5Conf, "KRB5CCNAME=" + ccache}
}

func TestFirefoxLogsInSilently(t *testing.T) {
	d := domain(t)
	w := newSite(t, domainYAML(d, d.Keytab, ""))
	firefox(t, ".localhost", w.url, employee(t, d, "grace")...)
	if p := w.who(t); p.Name != "grace" || fmt.Sprint(p.method) != "[wia]" {
		t.Errorf("%+v arrived, want grace by her ticket", p)
	}
}

// Where its policy does not name us, Firefox keeps the ticket and shows the page.
func TestFirefoxThatMaySendNoTicketHereShowsThePage(t *testing.T) {
	d := domain(t)
	w := newSite(t, domainYAML(d, d.Keytab, "")+"  fallback: form\n")
	firefox(t, "https://elsewhere.example", w.url, employee(t, d, "heidi")...)
	await(t, "the login page is shown", patience, func() bool { return len(w.idp.Log.Lines("msg=request", "/static/")) > 0 })
	if len(w.idp.Log.Lines("login=challenge")) == 0 || len(w.idp.Log.Lines("login=ticket")) > 0 {
		t.Errorf("want a challenge, and no ticket:\n%s", w.idp.Log)
	}
}

func TestChromiumLogsInSilentlyWithADomainTicket(t *testing.T) {
	d := domain(t)
	w := newSite(t, domainYAML(d, d.Keytab, ""))
	ctx, cancel := context.WithTimeout(chromium.Start(t, "*.localhost", employee(t, d, "ivan")...), patience)
	defer cancel()
	must(t, chromedp.Run(ctx, chromedp.Navigate(w.url)))
	if p := w.who(t); p.Name != "ivan" || fmt.Sprint(p.method) != "[wia]" {
		t.Errorf("%+v arrived, want ivan by his ticket", p)
	}
}
