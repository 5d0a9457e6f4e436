package server_test

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"idp/internal/idptest"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

const partnerSecret = "a-secret-that-the-partner-made-for-us"

// couple is an idp and another one that is its upstream.
type couple struct {
	t              *testing.T
	ours, partners *idptest.Server
	here, there    *idptest.Browser
	behind         atomic.Int64 // nanoseconds by which the partner's clock is
}

// newCouple has an upstream "partner" with these lines more in its entry.
func newCouple(t *testing.T, o idptest.Options, lines string) *couple {
	t.Helper()
	c := &couple{t: t}
	c.partners = idptest.Start(t, idptest.Options{Host: "127.0.0.1", Now: func() time.Time { return time.Now().Add(-time.Duration(c.behind.Load())) }})
	file := filepath.Join(t.TempDir(), "partner.secret")
	if err := os.WriteFile(file, []byte(partnerSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o.YAML += fmt.Sprintf("upstreams:\n  - {id: partner, name: Partner, issuer: \"%s\", client_id: ours, client_secret_file: %q, allow_private: true%s}\n",
		c.partners.Issuer, file, lines)
	c.ours = idptest.Start(t, o)
	trusted := true
	client := store.Client{ClientID: "ours", ClientName: "Ours", RedirectURIs: []string{c.ours.Issuer + "/upstream/partner/callback"}, Trusted: &trusted,
		SecretHashes: [][]byte{secret.Hash(partnerSecret)}, TokenEndpointAuthMethod: "client_secret_basic", ClaimsInIDToken: true,
		PostLogoutRedirectURIs: []string{c.ours.Issuer + "/end_session/done"}, BackchannelLogoutURI: strings.Replace(c.ours.Issuer, "idp.localhost", "127.0.0.1", 1) + "/upstream/partner/logout"}
	if err := c.partners.Store().AddClient(t.Context(), client, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	c.here, c.there = c.ours.Browser(t), c.partners.Browser(t)
	return c
}

// press sends the form with the button of the upstream, and returns where it leads.
func (c *couple) press(p *idptest.Page) *idptest.Page {
	c.t.Helper()
	action, form := p.Form(c.t, "upstream")
	form.Set("upstream", "partner")
	return c.here.Post(action, form)
}

// bobThere logs bob of the partner in at the partner, and comes back.
func (c *couple) bobThere(p *idptest.Page) *idptest.Page {
	c.t.Helper()
	if p.Location == nil || !strings.HasPrefix(p.Location.String(), c.partners.Issuer+"/authorize?") {
		c.t.Fatalf("stayed at %v, status %d:\n%s", p.Walked, p.StatusCode, p.Body)
	}
	return c.back(c.bobIsThere(p.Location))
}

// bobIsThere is the answer that the browser brings back from the partner.
func (c *couple) bobIsThere(u *url.URL) *url.URL {
	c.t.Helper()
	page := c.there.Get(u.String())
	if page.Location == nil {
		page = c.there.LogIn(page, "bob", idptest.BobPassword)
	}
	if page.Location == nil {
		c.t.Fatalf("the partner keeps bob: %d\n%s", page.StatusCode, page.Body)
	}
	return page.Location
}

func (c *couple) back(answer *url.URL) *idptest.Page { return c.here.Get(answer.String()) }

// partnersBob is how the partner calls its bob.
func (c *couple) partnersBob() store.Identity {
	return store.Identity{Source: "upstream:" + c.partners.Issuer, Key: c.partners.User("bob").ID}
}

func wantWords(t *testing.T, p *idptest.Page, status int, words ...string) {
	t.Helper()
	missing := slices.DeleteFunc(words, func(w string) bool { return strings.Contains(p.Body, w) })
	if p.StatusCode != status || len(missing) > 0 {
		t.Fatalf("walked %s to status %d without %q\n%s", p.Walked, p.StatusCode, missing, p.Body)
	}
}

// TestUpstreamLogsIn: the first login makes a user, the second finds them, and the
// relying party gets its code.
func TestUpstreamLogsIn(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]idptest.Options{"sqlite": {}, "postgres": {Database: storetest.Postgres(t)}} {
		t.Run(name, func(t *testing.T) {
			c := newCouple(t, o, ", create: first_login")
			auth := idptest.Wiki()
			code := auth.Code(t, c.ours, c.bobThere(c.press(c.here.Get(auth.URL()))))
			u := c.ours.User("partner:bob")
			if u.Email != "bob@example.com" || u.EmailVerified || len(u.Groups) != 0 || u.PasswordHash != "" {
				t.Errorf("%+v", u)
			}
			if code == "" || c.ours.Log.Lines("login=upstream", "user=partner:bob") == nil {
				t.Errorf("no such login in the log:\n%s", c.ours.Log)
			}
			c.here = c.ours.Browser(t)
			c.bobThere(c.press(c.here.Get("/account")))
			page := c.here.Get("/account")
			wantWords(t, page, 200, "partner:bob", "with your login at partner")
			sessions, err := c.ours.Store().SessionsOf(t.Context(), u.ID)
			if err != nil || len(sessions) != 2 || sessions[0].Upstream.Subject != c.partnersBob().Key || sessions[0].Upstream.SID == "" || sessions[0].Upstream.IDToken != "" {
				t.Errorf("%+v, %v", sessions, err)
			}
			if sessions[0].ACR != "1" || len(sessions[0].AMR) != 0 {
				t.Errorf("what the upstream says of its methods counts: %q %q", sessions[0].ACR, sessions[0].AMR)
			}
		})
	}
}

// TestUpstreamInvitesByDefault: nobody becomes a user by themselves.
func TestUpstreamInvitesByDefault(t *testing.T) {
	t.Parallel()
	c := newCouple(t, idptest.Options{}, "")
	page := c.bobThere(c.press(c.here.Get("/account")))
	wantWords(t, page, 200, "You have no account here yet", "Reference: ")
	if lines := c.ours.Log.Lines("NOT_INVITED", c.partnersBob().Key); len(lines) == 0 {
		t.Errorf("the log does not tell whom to invite:\n%s", c.ours.Log)
	}
	id := c.partnersBob()
	id.UserID = c.ours.User("bob").ID
	if err := c.ours.Store().LinkIdentity(t.Context(), id, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	wantWords(t, c.bobThere(c.press(c.here.Get("/account"))), 200, "with your login at partner", "<dd>bob</dd>")
	if err := c.ours.Store().SetDisabled(t.Context(), id.UserID, true, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	page = c.bobThere(c.press(c.here.Get("/account")))
	wantWords(t, page, 200, "That login is not accepted here")
	if len(c.ours.Log.Lines("reason=USER_DISABLED", "login=upstream")) == 0 {
		t.Error("the log does not say why")
	}
}

// TestUpstreamShowsAFreshLogin: prompt=login and max_age reach the upstream, and count
// when it shows that its person acted.
func TestUpstreamShowsAFreshLogin(t *testing.T) {
	t.Parallel()
	c := newCouple(t, idptest.Options{}, ", create: first_login")
	c.bobThere(c.press(c.here.Get("/account")))
	auth := idptest.Wiki()
	auth.Query.Set("prompt", "login")
	auth.Query.Set("login_hint", "bob")
	p := c.press(c.here.Get(auth.URL()))
	q := p.Location.Query()
	if q.Get("prompt") != "login" || q.Get("max_age") != "0" || q.Get("login_hint") != "bob" || q.Get("code_challenge_method") != "S256" || q.Get("response_mode") != "query" {
		t.Fatalf("asks the upstream %v", q)
	}
	page := c.there.Get(p.Location.String())
	wantWords(t, page, 200, "Confirm that it is you")
	auth.Code(t, c.ours, c.back(c.there.LogIn(page, "bob", idptest.BobPassword).Location))
}

// A partner's clock that is behind keeps nobody out, and makes nobody's login younger
// than the partner tells (OIDC Core §2): who trusts us is told the truth, and judges it.
func TestHoleUpstreamLoginToldAsNow(t *testing.T) {
	t.Parallel()
	const behind = 40 * time.Second
	c := newCouple(t, idptest.Options{}, ", create: first_login")
	c.behind.Store(int64(behind))
	rp := newRelyingParty(t, c.ours, "wiki", idptest.WikiSecret, "http://wiki.localhost/callback")
	for name, query := range map[string]string{"prompt": "login", "max_age": "0"} {
		auth := idptest.Wiki()
		auth.Query.Set(name, query)
		begun := time.Now()
		there := c.there.Get(c.press(c.here.Get(auth.URL())).Location.String())
		answer := c.there.LogIn(there, "bob", idptest.BobPassword).Location
		acted := time.Now()
		token, err := rp.oauth.Exchange(rp.ctx, auth.Code(t, c.ours, c.back(answer)), oauth2.VerifierOption(auth.Verifier))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		seconds, _ := rp.claims(t, token, auth.Query.Get("nonce"))["auth_time"].(float64)
		if at := time.Unix(int64(seconds), 0); at.After(acted.Add(-behind)) || at.Before(begun.Add(-behind-time.Second)) {
			t.Errorf("%s=%s: auth_time is %v before the login's end, want at least %v", name, query, acted.Sub(at), behind)
		}
	}
}

// TestUpstreamLinks: somebody links a login at an upstream to their account, logs in by
// it, and unlinks it.
func TestUpstreamLinks(t *testing.T) {
	t.Parallel()
	c := newCouple(t, idptest.Options{}, "")
	c.here.LogIn(c.here.Get("/account"), "bob", idptest.BobPassword)
	page := c.here.Get("/account/logins")
	wantWords(t, page, 200, "Link a login", "None so far")
	wantWords(t, c.bobThere(c.press(page)), 200, "Your login with Partner is linked", "Unlink")
	u := c.ours.User("bob")
	entries, err := c.ours.Store().Entries(t.Context(), store.Filter{UserID: u.ID, Event: "identity_linked"})
	if err != nil || len(entries) != 1 || entries[0].Actor != "bob" || entries[0].Address == "" {
		t.Errorf("%+v, %v", entries, err)
	}
	if u.Email != "bob@example.com" || !slices.Contains(u.Groups, "partners") {
		t.Errorf("the link changed the user: %+v", u)
	}

	other := c.ours.Browser(t)
	mine := c.here
	c.here = other
	wantWords(t, c.bobThere(c.press(other.Get("/account"))), 200, "with your login at partner", "<dd>bob</dd>")

	c.here = mine
	action, form := mine.Get("/account/logins").Form(t, "key")
	wantWords(t, mine.Post(action, form), 200, "The login is not linked any more", "None so far")
	if page := other.Get("/account"); !slices.Contains(page.Walked, "/login") {
		t.Errorf("the session that came by it goes on: %s", page.Body)
	}
	wantWords(t, mine.Get("/account"), 200, "with your name and password")
}

// TestHoleUpstreamLinkTakeover: a login at an upstream is linked only to whoever shows
// both, now; and never by what it says of itself.
func TestHoleUpstreamLinkTakeover(t *testing.T) {
	t.Parallel()
	c := newCouple(t, idptest.Options{}, ", create: first_login, allow_domains: [\"*\"]")
	addUser(t, c.ours, "mallory")

	// By mail address: the partner's bob has the address of ours, and is somebody else.
	c.bobThere(c.press(c.here.Get("/account")))
	if u := c.ours.User("partner:bob"); u.ID == c.ours.User("bob").ID {
		t.Error("linked by mail address")
	}

	// A login that is somebody's already.
	mallory := c.ours.Browser(t)
	mallory.LogIn(mallory.Get("/account"), "mallory", idptest.BobPassword)
	c.here = mallory
	c.there = c.partners.Browser(t)
	wantWords(t, c.bobThere(c.press(mallory.Get("/account/logins"))), 403, "Somebody else here logs in by it already")

	// Mallory's answer, opened in the browser of bob who is logged in: to link mallory's
	// login to bob's account.
	if err := c.ours.Store().UnlinkIdentity(t.Context(), with(c.partnersBob(), c.ours.User("partner:bob").ID), store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	answer := c.bobIsThere(c.press(mallory.Get("/account/logins")).Location)
	bob := c.ours.Browser(t)
	bob.LogIn(bob.Get("/account"), "bob", idptest.BobPassword)
	wantWords(t, bob.Get(answer.String()), 400, "This link has expired")

	// And in mallory's browser, where bob has logged in meanwhile.
	_, form := mallory.Get("/account").Form(t, "form_token")
	mallory.Post("/end_session", form)
	mallory.LogIn(mallory.Get("/login"), "bob", idptest.BobPassword)
	wantWords(t, mallory.Get(answer.String()), 400, "This link has expired")
	if _, err := c.ours.Store().UserByIdentity(t.Context(), c.partnersBob().Source, c.partnersBob().Key); err == nil {
		t.Error("linked")
	}
}

func with(id store.Identity, userID string) store.Identity {
	id.UserID = userID
	return id
}

// TestHoleUpstreamLastLoginIsUnlinked: nobody locks themselves out.
func TestHoleUpstreamLastLoginIsUnlinked(t *testing.T) {
	t.Parallel()
	c := newCouple(t, idptest.Options{}, ", create: first_login")
	c.bobThere(c.press(c.here.Get("/account/logins")))
	wantWords(t, c.here.Get("/account/logins"), 200, "You log in by nothing else")
	other := store.Identity{Source: "upstream:https://other.example", Key: "1", UserID: c.ours.User("partner:bob").ID}
	if err := c.ours.Store().LinkIdentity(t.Context(), other, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	action, form := c.here.Get("/account/logins").Form(t, "key")
	if err := c.ours.Store().DropIdentity(t.Context(), other, store.Entry{Actor: "test"}); err != nil { // meanwhile
		t.Fatal(err)
	}
	form.Set("source", c.partnersBob().Source)
	form.Set("key", c.partnersBob().Key)
	wantWords(t, c.here.Post(action, form), 409, "You log in by nothing else")
}

// TestHoleUpstreamAnswerOfAnotherBrowser: an answer is worth something in the browser
// that left, once, and at the upstream that it left for.
func TestHoleUpstreamAnswerOfAnotherBrowser(t *testing.T) {
	t.Parallel()
	c := newCouple(t, idptest.Options{}, ", create: first_login")
	answer := c.bobIsThere(c.press(c.here.Get("/account")).Location)
	victim := c.ours.Browser(t)
	victim.Get("/login")
	wantWords(t, victim.Get(answer.String()), 400, "This link has expired")

	elsewhere := *answer
	elsewhere.Path = "/upstream/other/callback"
	wantWords(t, c.here.Get(elsewhere.String()), 400, "This link has expired")

	wantWords(t, c.back(answer), 200, "partner:bob") // nothing was used up
	wantWords(t, c.back(answer), 400, "This link has expired")
	wantWords(t, c.here.Once("HEAD", answer.String(), nil, nil), 405)
	wantWords(t, c.here.Post("/upstream/partner/callback", answer.Query()), 405)
}

// TestUpstreamSignsOut: with logout, signing out here goes on to the upstream, and ends
// where the site wanted it to.
func TestUpstreamSignsOut(t *testing.T) {
	t.Parallel()
	c := newCouple(t, idptest.Options{}, ", create: first_login, logout: true")
	c.bobThere(c.press(c.here.Get("/account")))
	_, form := c.here.Get("/account").Form(t, "form_token")
	form = url.Values{"form_token": {form.Get("form_token")}, "client_id": {"wiki"}, "post_logout_redirect_uri": {"http://wiki.localhost/"}, "state": {"s"}}
	p := c.here.Post("/end_session", form)
	if p.Location == nil || !strings.HasPrefix(p.Location.String(), c.partners.Issuer+"/end_session?") || p.Location.Query().Get("id_token_hint") == "" {
		t.Fatalf("not sent to the upstream: %v\n%s", p.Location, p.Body)
	}
	page := c.there.Get(p.Location.String())
	if page.Location == nil {
		t.Fatalf("%d\n%s", page.StatusCode, page.Body)
	}
	if there := c.there.Get("/account"); !slices.Contains(there.Walked, "/login") {
		t.Error("still logged in at the upstream")
	}
	stranger := c.ours.Browser(t)
	if p := stranger.Get(page.Location.String()); p.Location != nil {
		t.Errorf("another browser is sent to %s", p.Location)
	}
	if p := c.back(page.Location); p.Location == nil || p.Location.String() != "http://wiki.localhost/?state=s" {
		t.Errorf("ended at %v, %s", p.Location, p.Body)
	}
	if page := c.here.Get("/account"); !slices.Contains(page.Walked, "/login") {
		t.Error("still logged in here")
	}
}

// TestUpstreamTellsOfASignOut: what an upstream's back channel says ends what came from
// there, and nothing else.
func TestUpstreamTellsOfASignOut(t *testing.T) {
	t.Parallel()
	c := newCouple(t, idptest.Options{}, ", create: first_login")
	c.bobThere(c.press(c.here.Get("/account")))
	local := c.ours.Browser(t)
	local.LogIn(local.Get("/account"), "bob", idptest.BobPassword)
	_, form := c.there.Get("/account").Form(t, "form_token")
	c.there.Post("/end_session", url.Values{"form_token": form["form_token"]})
	if err := c.ours.Log.Await(t.Context(), "POST /upstream/{id}/logout", "1 sessions ended"); err != nil {
		t.Fatal(err, c.partners.Log.Lines("logout"), c.ours.Log.Lines("logout"))
	}
	if page := c.here.Get("/account"); !slices.Contains(page.Walked, "/login") {
		t.Errorf("still logged in: %s", page.Body)
	}
	wantWords(t, local.Get("/account"), 200, "with your name and password")
}
