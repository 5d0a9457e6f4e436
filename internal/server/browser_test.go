//go:build browser

package server_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/fetch"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"golang.org/x/oauth2"

	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
	"idp/internal/kerberos/krbtest"
)

// site is a relying party in the browser's world: / sends to the server, and
// /callback shows who logged in.
type site struct {
	name, url string
}

// world is a realm, a server that trusts it, and two sites.
type world struct {
	realm *krbtest.Realm
	idp   *idptest.Server
	sites [2]*site
}

func newWorld(t *testing.T) *world { return newWorldWith(t, nil) }

// newWorldWith has sites that people must allow to know them.
func newWorldWith(t *testing.T, untrusted map[string]bool) *world {
	t.Helper()
	w := &world{realm: krbtest.Start(t, krbtest.Options{})}
	muxes := [2]*http.ServeMux{http.NewServeMux(), http.NewServeMux()}
	clients := ""
	for i, name := range []string{"one", "two"} {
		srv := httptest.NewServer(muxes[i])
		t.Cleanup(srv.Close)
		w.sites[i] = &site{name, strings.Replace(srv.URL, "127.0.0.1", name+".localhost", 1)}
		clients += fmt.Sprintf("  - {client_id: %s, client_name: Site %s, client_secret_file: wiki.secret, redirect_uris: [\"%s/callback\"], trusted: %v}\n", name, name, w.sites[i].url, !untrusted[name])
	}
	w.idp = idptest.Start(t, idptest.Options{YAML: idptest.KerberosYAML(w.realm), Clients: clients})
	for i := range w.sites {
		w.sites[i].serve(t, muxes[i], w.idp)
	}
	return w
}

func (s *site) serve(t *testing.T, mux *http.ServeMux, idp *idptest.Server) {
	rp := newRelyingParty(t, idp, s.name, idptest.WikiSecret, s.url+"/callback")
	verifier := oauth2.GenerateVerifier()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		extra := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier)}
		if p := r.URL.Query().Get("prompt"); p != "" {
			extra = append(extra, oauth2.SetAuthURLParam("prompt", p))
		}
		http.Redirect(w, r, rp.oauth.AuthCodeURL("state", extra...), http.StatusFound)
	})
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		if refused := r.URL.Query().Get("error"); refused != "" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, "<!doctype html><title>%s</title><p id=who>nobody: %s</p>", s.name, html.EscapeString(refused))
			return
		}
		token, err := rp.oauth.Exchange(rp.ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		claims := rp.claims(t, token, "")
		info, err := rp.provider.UserInfo(rp.ctx, oauth2.StaticTokenSource(token))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		var profile struct {
			Name string `json:"preferred_username"`
		}
		_ = info.Claims(&profile)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>%s</title><p id=who>%s by %v</p>", s.name, profile.Name, claims["amr"])
	})
}

// employee is a browser with alice's ticket; allow is where it may send it.
func (w *world) employee(t *testing.T, allow string) context.Context {
	t.Helper()
	ccache, err := w.realm.Kinit("alice", krbtest.AlicePassword)
	if err != nil {
		t.Fatal(err)
	}
	return chromium.Start(t, allow, "KRB5_CONFIG="+w.realm.Krb5Conf, "KRB5CCNAME="+ccache)
}

// stranger is a browser without a ticket.
func (w *world) stranger(t *testing.T) context.Context {
	t.Helper()
	return chromium.Start(t, "*.localhost", "KRB5_CONFIG="+w.realm.Krb5Conf, "KRB5CCNAME=FILE:"+filepath.Join(t.TempDir(), "none"))
}

func open(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Navigate(url))
}

// who is what the site shows of the person logged in there.
func who(ctx context.Context, t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var text string
	if err := chromedp.Run(ctx, chromedp.Text("#who", &text, chromedp.ByQuery)); err != nil {
		var body, at string
		_ = chromedp.Run(context.WithoutCancel(ctx), chromedp.Location(&at), chromedp.OuterHTML("html", &body))
		t.Fatalf("no site shows anybody: %v, at %s\n%s", err, at, body)
	}
	return text
}

func fillIn(name, password string) chromedp.Tasks {
	return chromedp.Tasks{
		chromedp.WaitVisible("#username"), chromedp.SetValue("#username", name), chromedp.SetValue("#password", password),
		chromedp.Click("form:has(#password) button[type=submit]"),
	}
}

func run(ctx context.Context, t *testing.T, what string, actions ...chromedp.Action) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := chromedp.Run(ctx, actions...); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestBrowserWithATicketSeesNoPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := w.employee(t, "*.localhost")
	for _, s := range w.sites {
		if err := open(ctx, s.url); err != nil {
			t.Fatal(err)
		}
		if got := who(ctx, t); got != "alice by [wia]" {
			t.Errorf("%s shows %q", s.name, got)
		}
	}
	run(ctx, t, "account", chromedp.Navigate(w.idp.Issuer+"/account"))
	chromium.Photograph(ctx, t, "account-after-ticket")
	// Sign out: the next site shows the form although the ticket is still there.
	run(ctx, t, "sign out", chromedp.Click("button.primary"), chromedp.WaitVisible(`a[href="/login"]`))
	chromium.Photograph(ctx, t, "signed-out")
	if err := open(ctx, w.sites[0].url); err != nil {
		t.Fatal(err)
	}
	run(ctx, t, "another user", fillIn("bob", idptest.BobPassword))
	if got := who(ctx, t); got != "bob by [pwd]" {
		t.Errorf("after signing out and logging in as bob the site shows %q", got)
	}
}

func TestBrowserThatMaySendNoTicketHereWouldPrompt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := w.employee(t, "none.example")
	if err := open(ctx, w.sites[0].url); err == nil || !strings.Contains(err.Error(), "ERR_INVALID_AUTH_CREDENTIALS") {
		t.Errorf("open: %v, want the prompt that nobody answers here", err)
	}
}

func TestBrowserWithoutATicketWouldPrompt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := open(w.stranger(t), w.sites[0].url); err == nil || !strings.Contains(err.Error(), "ERR_INVALID_AUTH_CREDENTIALS") {
		t.Errorf("open: %v, want the prompt that nobody answers here", err)
	}
}

// answerPrompt answers the browser's own prompt as a person would: with each
// password in turn, one a prompt.
func answerPrompt(ctx context.Context, t *testing.T, passwords ...string) *int {
	t.Helper()
	asked := 0
	chromedp.ListenTarget(ctx, func(ev any) {
		switch e := ev.(type) {
		case *fetch.EventRequestPaused:
			go func() { _ = chromedp.Run(ctx, fetch.ContinueRequest(e.RequestID)) }()
		case *fetch.EventAuthRequired:
			answer := &fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseCancelAuth}
			if asked < len(passwords) {
				answer = &fetch.AuthChallengeResponse{Response: fetch.AuthChallengeResponseResponseProvideCredentials, Username: "alice", Password: passwords[asked]}
			}
			asked++
			go func() { _ = chromedp.Run(ctx, fetch.ContinueWithAuth(e.RequestID, answer)) }()
		}
	})
	run(ctx, t, "prompt", network.Enable(), fetch.Enable().WithHandleAuthRequests(true))
	return &asked
}

func TestWrongPasswordAtThePromptAndThenTheRightOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := w.stranger(t)
	asked := answerPrompt(ctx, t, "wrong password", krbtest.AlicePassword)
	if err := open(ctx, w.sites[0].url); err != nil {
		t.Fatal(err)
	}
	var title, retry string
	run(ctx, t, "the page behind the wrong password", chromedp.Text(".notice-title", &title), chromedp.Location(&retry))
	chromium.Photograph(ctx, t, "prompt-wrong")
	if title != "Name or password is wrong" || *asked != 1 {
		t.Fatalf("after a wrong password: %q, prompted %d times", title, *asked)
	}
	run(ctx, t, "try again", chromedp.Navigate(retry))
	if got := who(ctx, t); got != "alice by [pwd]" || *asked != 2 {
		t.Errorf("the site shows %q after %d prompts; the wrong password was kept?", got, *asked)
	}
	if err := open(ctx, w.sites[1].url); err != nil {
		t.Fatal(err)
	}
	if got := who(ctx, t); got != "alice by [pwd]" || *asked != 2 {
		t.Errorf("second site: %q after %d prompts", got, *asked)
	}
}

func TestCancelledPromptShowsTheForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := w.stranger(t)
	answerPrompt(ctx, t)
	if err := open(ctx, w.sites[0].url); err != nil {
		t.Fatal(err)
	}
	chromium.Photograph(ctx, t, "prompt-cancelled")
	run(ctx, t, "form", fillIn("bob", "wrong"), chromedp.WaitVisible(".notice-title"))
	chromium.Photograph(ctx, t, "form-wrong")
	run(ctx, t, "form", fillIn("bob", idptest.BobPassword))
	if got := who(ctx, t); got != "bob by [pwd]" {
		t.Errorf("the site shows %q", got)
	}
}

// doubleClick tells whether the Allow button takes a click in the moment in which
// the page comes to light, of a mouse and of the keyboard.
const doubleClick = `(() => {
  const button = document.querySelector("button[value=allow]");
  const form = button.form;
  let taken = 0;
  form.addEventListener("submit", e => { e.preventDefault(); e.stopImmediatePropagation(); taken++; }, {capture: true});
  const press = detail => { dispatchEvent(new Event("focus")); button.dispatchEvent(new MouseEvent("click", {bubbles: true, cancelable: true, detail})); return taken; };
  return [press(2), press(0)];
})()`

func TestConsentInABrowser(t *testing.T) {
	t.Parallel()
	w := newWorldWith(t, map[string]bool{"one": true})
	ctx := w.employee(t, "*.localhost")
	shop := w.sites[0].url
	var says string
	consent := chromedp.Tasks{chromedp.WaitVisible("button[value=allow]"), chromedp.Text("main", &says)}
	run(ctx, t, "the consent page", chromedp.Navigate(shop), consent)
	chromium.Photograph(ctx, t, "consent")
	for _, words := range []string{"Allow Site one?", strings.TrimPrefix(shop, "http://"), "logged in as alice", "Your profile"} {
		if !strings.Contains(says, words) {
			t.Errorf("the page does not say %q:\n%s", words, says)
		}
	}
	var taken []int
	run(ctx, t, "a double click", chromedp.Evaluate(doubleClick, &taken))
	if len(taken) != 2 || taken[0] != 0 || taken[1] != 1 {
		t.Errorf("clicks that were taken: %v, want the keyboard's only", taken)
	}
	run(ctx, t, "not allowed", chromedp.Reload(), consent, chromedp.Click("button[value=deny]"))
	if got := who(ctx, t); got != "nobody: access_denied" {
		t.Errorf("refused, the site shows %q", got)
	}
	run(ctx, t, "allowed", chromedp.Navigate(shop), consent, chromedp.SendKeys("button[value=allow]", kb.Enter))
	if got := who(ctx, t); got != "alice by [wia]" {
		t.Errorf("allowed, the site shows %q", got)
	}
	if err := open(ctx, shop); err != nil {
		t.Fatal(err)
	}
	if got := who(ctx, t); got != "alice by [wia]" {
		t.Errorf("asked again: %q", got)
	}
	run(ctx, t, "account", chromedp.Navigate(w.idp.Issuer+"/account/sites"), chromedp.Click("form[action='/account/consents'] button"), chromedp.WaitVisible("#notice"), chromedp.Text("main", &says))
	chromium.Photograph(ctx, t, "taken-back")
	if !strings.Contains(says, "Taken back from Site one") {
		t.Errorf("after taking it back:\n%s", says)
	}
	run(ctx, t, "asked anew", chromedp.Navigate(shop), consent)
	// Another account: the form, and its owner is asked.
	run(ctx, t, "another account", chromedp.Click("main p a"), fillIn("bob", idptest.BobPassword), consent, chromedp.SendKeys("button[value=allow]", kb.Enter))
	if got := who(ctx, t); got != "bob by [pwd]" {
		t.Errorf("with another account the site shows %q", got)
	}
}

func TestReauthenticationShowsThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := w.employee(t, "*.localhost")
	if err := open(ctx, w.sites[0].url); err != nil {
		t.Fatal(err)
	}
	if got := who(ctx, t); got != "alice by [wia]" {
		t.Fatal(got)
	}
	if err := open(ctx, w.sites[0].url+"/?prompt=login"); err != nil {
		t.Fatal(err)
	}
	run(ctx, t, "confirm", chromedp.WaitVisible("#password"))
	chromium.Photograph(ctx, t, "reauthenticate")
	run(ctx, t, "confirm", fillIn("alice", krbtest.AlicePassword))
	if got := who(ctx, t); got != "alice by [pwd]" {
		t.Errorf("the site shows %q", got)
	}
}
