//go:build interop

package interop_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"idp/internal/idptest"
	"idp/internal/idptest/chromium"
)

// A page that is its own relying party: discovery, keys, tokens, userinfo and
// revocation reach it by CORS only, the DPoP nonce too, and its secret is none.
func TestOAuth4WebAPIInABrowser(t *testing.T) {
	must(t, nodeModules())
	idp := idptest.Start(t, idptest.Options{})
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	file := func(path, name string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, name) })
	}
	file("/{$}", "js/spa.html")
	file("/callback", "js/spa.html")
	file("/oauth4webapi.js", "js/node_modules/oauth4webapi/build/index.js")
	mux.HandleFunc("GET /config", func(w http.ResponseWriter, _ *http.Request) {
		// The port of a loopback address is not registered (RFC 8252 §7.3).
		tell(w, map[string]string{"issuer": idp.Issuer, "client_id": "app", "redirect_uri": srv.URL + "/callback", "scope": strings.Join(scopes, " ")}, nil)
	})

	ctx, cancel := context.WithTimeout(chromium.Start(t, ""), patience)
	defer cancel()
	shows := func(what ...chromedp.Action) (got spaTold) {
		t.Helper()
		var text string
		must(t, chromedp.Run(ctx, append(what, chromedp.Text("#told:not(:empty)", &text))...))
		if err := json.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		if id := got.claims(t); got.Userinfo.Name != "bob" || got.Userinfo.Sub != id.Sub || id.Alg != "ES256" || !got.Refreshed {
			t.Errorf("the page says %s, want bob, ES256 and new tokens", text)
		}
		return got
	}
	plain := shows(chromedp.Navigate(srv.URL),
		chromedp.SendKeys("#username", "bob"), chromedp.SendKeys("#password", idptest.BobPassword+"\r"))
	if keyOf(t, plain.Access) != "" {
		t.Error("bound without a proof")
	}
	// The same page with tokens that are for its key, the refresh token as well.
	bound := shows(chromedp.Navigate(srv.URL + "/?dpop"))
	bound.isBound(t)
	if bound.Stolen != "invalid_grant" {
		t.Errorf("the refresh token with another key: %v, want invalid_grant", bound.Stolen)
	}
}

// spaTold is what the page says.
type spaTold struct {
	told
	Refreshed bool `json:"refreshed"`
	Stolen    any  `json:"stolen"` // the error for a refresh token with another key
}
