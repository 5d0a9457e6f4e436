package server_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/idptest"
)

// other is one more upstream beside the partner, of which a test says what it is.
func other(issuer string) string {
	return fmt.Sprintf(", create: first_login}\n  - {id: other, issuer: %q, client_id: ours, token_endpoint_auth_method: none, create: first_login, allow_private: true", issuer)
}

// TestHoleUpstreamMixUpOfTwo: an upstream that leads its people on to another one gets
// nothing that this one gave (RFC 9207 §1; OAuth 2.0 Security BCP, RFC 9700 §4.4).
func TestHoleUpstreamMixUpOfTwo(t *testing.T) {
	t.Parallel()
	var codes atomic.Int64
	mux := http.NewServeMux()
	evil := httptest.NewServer(mux)
	t.Cleanup(evil.Close)
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer": %q, "authorization_endpoint": %q, "token_endpoint": %q, "jwks_uri": %q}`, evil.URL, evil.URL+"/a", evil.URL+"/t", evil.URL+"/j")
	})
	mux.HandleFunc("/t", func(w http.ResponseWriter, _ *http.Request) { codes.Add(1); w.WriteHeader(http.StatusBadRequest) })
	c := newCouple(t, idptest.Options{}, other(evil.URL))

	action, form := c.here.Get("/account").Form(t, "upstream")
	form.Set("upstream", "other")
	leaves := c.here.Post(action, form).Location
	if leaves == nil || !strings.HasPrefix(leaves.String(), evil.URL+"/a?") {
		t.Fatalf("leaves to %v", leaves)
	}
	// The evil one sends the browser on to the partner, with our own state.
	q := leaves.Query()
	q.Set("redirect_uri", c.ours.Issuer+"/upstream/partner/callback")
	answer := c.bobIsThere(&url.URL{Path: "/authorize", RawQuery: q.Encode()})
	wantWords(t, c.back(answer), 400, "This link has expired")
	// And brings the partner's answer to its own callback.
	answer.Path = "/upstream/other/callback"
	wantWords(t, c.back(answer), 200, "That login could not be checked")
	if codes.Load() != 0 {
		t.Error("a code of the partner's was sent to another upstream")
	}
}

// TestAnUpstreamThatIsDownHurtsItsOwnPeopleOnly: it is told on the page, and everything
// else goes on.
func TestAnUpstreamThatIsDownHurtsItsOwnPeopleOnly(t *testing.T) {
	t.Parallel()
	down := httptest.NewServer(http.NotFoundHandler())
	down.Close()
	c := newCouple(t, idptest.Options{}, other(down.URL))
	page := c.here.Get("/account")
	wantWords(t, page, 200, "Log in with Partner", "Log in with other")
	action, form := page.Form(t, "upstream")
	form.Set("upstream", "other")
	wantWords(t, c.here.Post(action, form), 200, "That login cannot be reached just now", "Reference: ")
	if len(c.ours.Log.Lines("reason=UPSTREAM_DOWN", "login=upstream", "the connection is refused")) == 0 {
		t.Errorf("the log does not say why:\n%s", c.ours.Log)
	}
	form.Set("upstream", "nowhere\x00")
	wantWords(t, c.here.Post(action, form), 200, "That login is not accepted here")
	wantWords(t, c.bobThere(c.press(c.here.Get("/account"))), 200, "partner:bob")
	other := c.ours.Browser(t)
	wantWords(t, other.LogIn(other.Get("/account"), "bob", idptest.BobPassword), 200, "<dd>bob</dd>")
}

// TestUpstreamFactors: the rules of factors are for these logins, too; an acr that the
// entry trusts counts, and no other.
func TestUpstreamFactors(t *testing.T) {
	t.Parallel()
	for lines, enough := range map[string]bool{"": false, ", acr: {\"1\": mfa}": true} {
		c := newCouple(t, idptest.Options{YAML: "factors: [{acr: mfa}]\n"}, ", create: first_login"+lines)
		page := c.bobThere(c.press(c.here.Get("/account")))
		if in := len(page.Walked) > 0 && slices.Contains(page.Walked, "/authorize/resume"); in != enough {
			t.Errorf("%q: walked %s", lines, page.Walked)
		}
	}
}

// A session at the upstream that somebody left behind sets up nobody's first factor: a
// login there of now does.
func TestHoleSilentUpstreamSetsUpAFactor(t *testing.T) {
	t.Parallel()
	c := newCouple(t, idptest.Options{YAML: "factors: [{acr: mfa}]\n"}, ", create: first_login")
	c.behind.Store(int64(20 * time.Minute))
	c.there.LogIn(c.there.Get("/login"), "bob", idptest.BobPassword)
	c.behind.Store(0)
	page := c.bobThere(c.press(c.here.Get("/account")))
	if strings.Contains(page.Body, `name="setup_code"`) {
		t.Fatalf("a factor may be set up:\n%s", page.Body)
	}
	page = c.press(page)
	if page.Location == nil || page.Location.Query().Get("prompt") != "login" {
		t.Fatalf("not asked for a login of now: %v\n%s", page.Location, page.Body)
	}
	there := c.there.Get(page.Location.String())
	there = c.there.LogIn(there, "bob", idptest.BobPassword)
	wantWords(t, c.back(there.Location), 200, `name="setup_code"`)
}
