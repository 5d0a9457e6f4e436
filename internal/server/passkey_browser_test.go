//go:build browser

package server_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"

	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
)

// passkeyShop is a relying party in the browser's world, which shows how its visitor logged
// in; /phr demands a passkey.
type passkeyShop struct {
	url string
	idp *idptest.Server
}

func newPasskeyShop(t *testing.T, o idptest.Options) *passkeyShop {
	t.Helper()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	s := &passkeyShop{url: strings.Replace(srv.URL, "127.0.0.1", "shop.localhost", 1)}
	o.Clients = fmt.Sprintf("  - {client_id: shop, client_name: Shop, client_secret_file: wiki.secret, redirect_uris: [\"%s/callback\"]}\n", s.url)
	s.idp = idptest.Start(t, o)
	rp := newRelyingParty(t, s.idp, "shop", idptest.WikiSecret, s.url+"/callback")
	verifier := oauth2.GenerateVerifier()
	mux.HandleFunc("GET /{acr}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, rp.oauth.AuthCodeURL("state", oauth2.S256ChallengeOption(verifier), oauth2.SetAuthURLParam("acr_values", r.PathValue("acr"))), http.StatusFound)
	})
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		token, err := rp.oauth.Exchange(rp.ctx, r.URL.Query().Get("code"), oauth2.VerifierOption(verifier))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		claims := rp.claims(t, token, "")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, "<!doctype html><title>Shop</title><p id=who>%v by %v</p>", claims["acr"], claims["amr"])
	})
	return s
}

// plugIn gives a browser an authenticator. Whoever sits there touches it only when
// touch says so: a page that asks by itself, as the login page does, is not answered.
func plugIn(ctx context.Context, t *testing.T, pin bool) webauthn.AuthenticatorID {
	t.Helper()
	var id webauthn.AuthenticatorID
	run(ctx, t, "an authenticator", webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) (err error) {
		id, err = webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: pin, IsUserVerified: pin,
		}).Do(ctx)
		return err
	}))
	return id
}

func touch(id webauthn.AuthenticatorID, on bool) chromedp.Action {
	return webauthn.SetAutomaticPresenceSimulation(id, on)
}

func forget() chromedp.Action {
	return network.ClearBrowserCookies()
}

const (
	aloneButton = `form[data-passkey=get] button`
	newButton   = `form[data-passkey=create] button`
)

// register makes a passkey in bob's account, and leaves the browser logged out.
func (s *passkeyShop) register(ctx context.Context, t *testing.T, id webauthn.AuthenticatorID) {
	t.Helper()
	run(ctx, t, "log in for the account", touch(id, false), chromedp.Navigate(s.idp.Issuer+"/account/factors/passkey"), fillIn("bob", idptest.BobPassword), chromedp.WaitVisible(newButton))
	chromium.Photograph(ctx, t, "passkey-make")
	run(ctx, t, "make a passkey", touch(id, true), chromedp.SetValue("#passkey_name", "This computer"), chromedp.Click(newButton), chromedp.WaitVisible(".codes"))
	var says string
	run(ctx, t, "the list", chromedp.Navigate(s.idp.Issuer+"/account/factors"), chromedp.Text("main", &says), forget())
	chromium.Photograph(ctx, t, "passkey-list")
	if !strings.Contains(says, "This computer") {
		t.Errorf("the account does not list it:\n%s", says)
	}
}

func TestPasskeyInABrowser(t *testing.T) {
	t.Parallel()
	s := newPasskeyShop(t, idptest.Options{})
	ctx := chromium.Start(t, "")
	id := plugIn(ctx, t, true)
	s.register(ctx, t, id)

	// Alone, by the button.
	run(ctx, t, "the login page", touch(id, false), chromedp.Navigate(s.url+"/phr"), chromedp.WaitVisible(aloneButton))
	chromium.Photograph(ctx, t, "passkey-login")
	run(ctx, t, "the button", touch(id, true), chromedp.Click(aloneButton))
	if got := who(ctx, t); got != "phr by [pop user mfa]" {
		t.Errorf("alone: %q", got)
	}

	// Alone, by the browser's own list at the field for the name: the authenticator
	// that is touched all the time takes the first of it.
	run(ctx, t, "the login page again", forget(), chromedp.Navigate(s.url+"/phr"))
	if got := who(ctx, t); got != "phr by [pop user mfa]" {
		t.Errorf("from the field: %q", got)
	}

	// Behind a password.
	run(ctx, t, "a password", forget(), touch(id, false), chromedp.Navigate(s.url+"/mfa"), fillIn("bob", idptest.BobPassword), chromedp.WaitVisible(aloneButton))
	chromium.Photograph(ctx, t, "passkey-second")
	run(ctx, t, "and the passkey", touch(id, true), chromedp.Click(aloneButton))
	if got := who(ctx, t); got != "mfa by [pwd pop user mfa]" {
		t.Errorf("behind a password: %q", got)
	}

	// Whoever holds it, without a PIN: alone nothing, behind a password a second factor.
	var says string
	run(ctx, t, "without a PIN", forget(), touch(id, false), webauthn.SetUserVerified(id, false), chromedp.Navigate(s.url+"/1"), chromedp.WaitVisible(aloneButton),
		touch(id, true), chromedp.Click(aloneButton), chromedp.WaitVisible(`[data-when=refused]`), chromedp.Text("main", &says))
	chromium.Photograph(ctx, t, "passkey-refused")
	if !strings.Contains(says, "No passkey was shown") {
		t.Errorf("without a PIN:\n%s", says)
	}

	// Removed.
	run(ctx, t, "remove it", webauthn.SetUserVerified(id, true), touch(id, false), chromedp.Navigate(s.idp.Issuer+"/account/factors"), chromedp.WaitVisible(aloneButton), touch(id, true), chromedp.Click(aloneButton),
		chromedp.Click(`a[aria-label^="Rename or remove"]`), chromedp.Click(`button[name=remove]`), chromedp.WaitVisible("#notice"), chromedp.Text("main", &says), forget())
	if !strings.Contains(says, "Removed") {
		t.Fatalf("after removing it:\n%s", says)
	}
	run(ctx, t, "removed", touch(id, false), chromedp.Navigate(s.url+"/1"), chromedp.WaitVisible(aloneButton), touch(id, true), chromedp.Click(aloneButton),
		// This page would ask again, and be answered again, for ever.
		chromedp.ActionFunc(func(ctx context.Context) error { return s.idp.Log.Await(ctx, "reason=PASSKEY_UNKNOWN") }), touch(id, false),
		chromedp.WaitVisible(".notice-title"), chromedp.Text("main", &says))
	if !strings.Contains(says, "Your passkey was not accepted") {
		t.Errorf("removed:\n%s", says)
	}
}

func TestPasskeyIsMadeOnTheWayInABrowser(t *testing.T) {
	t.Parallel()
	s := newPasskeyShop(t, idptest.Options{})
	ctx := chromium.Start(t, "")
	id := plugIn(ctx, t, true)
	run(ctx, t, "a password", touch(id, false), chromedp.Navigate(s.url+"/phr"), fillIn("bob", idptest.BobPassword), chromedp.WaitVisible(newButton))
	chromium.Photograph(ctx, t, "passkey-on-the-way")
	run(ctx, t, "make one", touch(id, true), chromedp.Click(newButton))
	run(ctx, t, "the codes are kept", chromedp.SendKeys("button[name=kept]", "\r"))
	if got := who(ctx, t); got != "phr by [pwd pop user mfa]" {
		t.Errorf("%q", got)
	}
}

// TestPasskeyPagesWithoutScripts: nothing is offered that cannot work, and where a
// passkey is demanded the page says what to do.
func TestPasskeyPagesWithoutScripts(t *testing.T) {
	t.Parallel()
	s := newPasskeyShop(t, idptest.Options{})
	ctx := chromium.Start(t, "")
	id := plugIn(ctx, t, true)
	visible := `[...document.querySelectorAll("form[data-passkey]")].filter((f) => f.offsetParent).length`
	for script, want := range map[bool]int{true: 1, false: 0} {
		var forms int
		var says string
		run(ctx, t, "the login page", forget(), touch(id, false), emulation.SetScriptExecutionDisabled(!script), chromedp.Navigate(s.url+"/phr"), chromedp.WaitVisible("#username"), chromedp.Evaluate(visible, &forms))
		if forms != want {
			t.Errorf("scripts %v: %d buttons for passkeys", script, forms)
		}
		run(ctx, t, "the second step", fillIn("bob", idptest.BobPassword), chromedp.WaitVisible(`a[href*="other=1"]`), chromedp.Text("main", &says), chromedp.Evaluate(visible, &forms))
		chromium.Photograph(ctx, t, fmt.Sprintf("passkey-scripts-%v", script))
		if strings.Contains(says, "its scripts are switched off") == script || forms != want {
			t.Errorf("scripts %v: %d buttons, and the page says\n%s", script, forms, says)
		}
	}
}

// TestSecurityKeyWithoutAPINInABrowser: it is a second factor, and no more.
func TestSecurityKeyWithoutAPINInABrowser(t *testing.T) {
	t.Parallel()
	s := newPasskeyShop(t, idptest.Options{})
	ctx := chromium.Start(t, "")
	id := plugIn(ctx, t, false)
	s.register(ctx, t, id)
	run(ctx, t, "a password and the key", touch(id, false), chromedp.Navigate(s.url+"/1"), fillIn("bob", idptest.BobPassword), chromedp.WaitVisible(aloneButton),
		touch(id, true), chromedp.Click(aloneButton))
	if got := who(ctx, t); got != "1 by [pwd pop mfa]" {
		t.Errorf("behind a password: %q", got)
	}
	var says string
	run(ctx, t, "where it must make sure of its person", touch(id, false), chromedp.Navigate(s.url+"/phr"), chromedp.WaitVisible(aloneButton),
		touch(id, true), chromedp.Click(aloneButton), chromedp.WaitVisible(`[data-when=refused]`), chromedp.Text("main", &says))
	if !strings.Contains(says, "No passkey was shown") {
		t.Errorf("without a PIN:\n%s", says)
	}
}
