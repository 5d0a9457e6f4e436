package oidc

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/rptest"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
	"idp/internal/web"
)

// reload is a SIGHUP after one client of the file was changed: a new provider over
// the same store. What it logs is returned.
func (w *world) reload(id string, change func(*store.Client)) *bytes.Buffer {
	w.t.Helper()
	file := testClients()
	for i := range file {
		if file[i].ClientID == id {
			change(&file[i])
		}
	}
	c := w.Config
	c.Clients = clients.New(file, c.Store, c.Now)
	var err error
	w.Provider, err = New(c)
	must(w.t, err)
	log := &bytes.Buffer{}
	w.handler = web.Chain(w.routes(), web.ChainConfig{Log: slog.New(slog.NewTextHandler(log, nil)), Pages: w.Pages})
	return log
}

func untrusted(c *store.Client) { no := false; c.Trusted = &no }

// add is a client of the database, as wiki is one of the file.
func (w *world) add(id string, change func(*store.Client)) store.Client {
	w.t.Helper()
	c := store.Client{ClientID: id, SecretHashes: [][]byte{secret.Hash("secret")}, RedirectURIs: []string{testRedirect},
		GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid profile email groups offline_access"}
	if change != nil {
		change(&c)
	}
	must(w.t, w.Store.AddClient(w.t.Context(), c, store.Entry{Actor: "test"}))
	return c
}

// set changes a client of the database as idp client set does.
func (w *world) set(id string, revoke bool, change func(*store.Client)) {
	w.t.Helper()
	c, err := w.Store.ClientByID(w.t.Context(), id)
	must(w.t, err)
	after := *c
	change(&after)
	must(w.t, w.Store.UpdateClient(w.t.Context(), after, revoke, store.Entry{Actor: "test"}))
}

// remembered is long enough for what is kept for a second to be asked for anew.
const remembered = 1100 * time.Millisecond

// wantEnded checks that a token request is refused, and says why.
func (a *answer) wantEnded(why string) {
	a.t.Helper()
	a.wantError(http.StatusBadRequest, "invalid_grant")
	if got := a.str("error_description"); !strings.Contains(got, why) {
		a.t.Errorf("the developer is told %q, want %q in it", got, why)
	}
}

// wantDead checks that a client's tokens are all worth nothing.
func (w *world) wantDead(client string, tokens *answer, why string) {
	w.t.Helper()
	w.api(client, "/token", refreshForm(tokens.str("refresh_token"))).wantEnded(why)
	if a := w.askUserinfo(tokens.str("access_token")); a.Code != http.StatusUnauthorized {
		w.t.Errorf("userinfo: %d %s", a.Code, a.Body)
	}
	for _, name := range []string{"access_token", "refresh_token"} {
		if w.active(client, tokens.str(name)) {
			w.t.Errorf("the %s is active", name)
		}
	}
}

const everything = "openid profile email groups offline_access"

// idp client set --untrusted --scope openid --revoke, as an attacker's tests had it:
// a code, a device code and a pushed request from before are worth nothing.
func TestHoleCodesOutliveTheTrustTheyRestOn(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	w.add("app", nil)
	w.add("box", func(c *store.Client) { c.GrantTypes, c.RedirectURIs = []string{deviceGrantType, "refresh_token"}, nil })
	code := b.code("app", "scope", everything)
	device := w.api("box", "/device_authorization", url.Values{"scope": {everything}})
	b.answers(device, "allow")
	pushed := w.push("app")
	for _, id := range []string{"app", "box"} {
		w.set(id, true, func(c *store.Client) { untrusted(c); c.Scope = "openid" })
	}
	w.pass(remembered)
	w.api("app", "/token", codeForm(code)).wantError(http.StatusBadRequest, "invalid_grant")
	w.api("box", "/token", pollForm("box", device.str("device_code"))).wantError(http.StatusBadRequest, "invalid_grant")
	if a := b.get(pushed); a.Code != http.StatusBadRequest || a.Header().Get("Location") != "" {
		t.Errorf("the pushed request: %d %s", a.Code, a.Header().Get("Location"))
	}
	b.asked(b.get(authorizeURL("app"))) // a new request is asked about
}

// idp client remove and add: the code that the earlier owner of the id was sent is
// not redeemed by the next, nor is one that a node sent which had not heard yet.
func TestHoleCodeOfAnEarlierOwnerOfTheID(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, database string) {
		nodes := twoNodes(t, database)
		w, behind := nodes[0], nodes[1]
		w.user("alice")
		b, late := w.loggedIn("alice"), behind.loggedIn("alice")
		w.add("app", nil)
		code := b.code("app")
		late.code("app") // from here the other node remembers the client for a second
		must(t, w.Store.RemoveClient(t.Context(), "app", store.Entry{Actor: "test"}))
		unheard := late.code("app")
		w.add("app", func(c *store.Client) { c.RedirectURIs = []string{"https://next.example/cb"} })
		afterwards := late.code("app")
		w.pass(remembered)
		for name, code := range map[string]string{"before": code, "removed": unheard, "added": afterwards} {
			if a := w.api("app", "/token", codeForm(code)); a.Code != http.StatusBadRequest || a.str("error") != "invalid_grant" {
				t.Errorf("%s: %d %s", name, a.Code, a.Body)
			}
		}
	})
}

// What the registry of another node remembers for a second, the transaction that
// gives tokens does not.
func TestHoleTrustLoweredOnAnotherNode(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, database string) {
		nodes := twoNodes(t, database)
		w, behind := nodes[0], nodes[1]
		w.user("alice")
		b := behind.loggedIn("alice")
		for id, c := range map[string]struct {
			change        func(*store.Client)
			code, refresh string // why they are refused; empty: the refresh token is not
		}{
			"trusted":   {untrusted, "has not allowed all", "has not allowed all"},
			"moved":     {func(c *store.Client) { c.RedirectURIs = []string{"https://next.example/cb"} }, "redirect_uri", ""},
			"narrowed":  {func(c *store.Client) { c.Scope = "read" }, "for what was granted", "for what was granted"},
			"ungranted": {func(c *store.Client) { c.GrantTypes = []string{"client_credentials"} }, "grant_type", "refresh_token"},
			"bound":     {func(c *store.Client) { c.DPoPBoundAccessTokens = true }, "DPoP", "DPoP"},
			"others":    {func(c *store.Client) { c.AllowGroups = []string{"finance"} }, "may not use", "may not use"},
		} {
			w.add(id, nil)
			tokens, code := b.tokens(id, "scope", "openid email"), b.code(id, "scope", "openid email")
			w.set(id, false, c.change)
			for _, code := range []string{code, b.code(id, "scope", "openid email")} {
				behind.api(id, "/token", codeForm(code)).wantEnded(c.code)
			}
			a := behind.api(id, "/token", refreshForm(tokens.str("refresh_token")))
			if c.refresh != "" {
				a.wantEnded(c.refresh)
			} else if a.Code != http.StatusOK {
				t.Errorf("%s: %d %s", id, a.Code, a.Body)
			}
		}
	})
}

// The file's clients, changed and read again under running tokens: nothing ends by
// a statement of the database, so everything is looked at where it is used.
func TestHoleTokensOfAFileClientThatMayDoLess(t *testing.T) {
	for name, c := range map[string]struct {
		change    func(*store.Client)
		why, code string // of refresh token and code; empty: it still gives something
	}{
		"not trusted":   {untrusted, "has not allowed all", "has not allowed all"},
		"other scopes":  {func(c *store.Client) { c.Scope = "write" }, "offline_access", "for what was granted"},
		"not offline":   {func(c *store.Client) { c.Scope = "openid email" }, "offline_access", ""},
		"other groups":  {func(c *store.Client) { c.AllowGroups = []string{"finance"} }, "may not use", "may not use"},
		"only programs": {func(c *store.Client) { c.GrantTypes = []string{"refresh_token"} }, "by which users log in", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.user("alice")
			b := w.loggedIn("alice")
			tokens, code := b.tokens("wiki", "scope", everything), b.code("wiki", "scope", everything)
			log := w.reload("wiki", c.change)
			w.pass(remembered)
			w.api("wiki", "/token", refreshForm(tokens.str("refresh_token"))).wantEnded(c.why)
			if !strings.Contains(log.String(), c.why) {
				t.Errorf("the log does not say why:\n%s", log)
			}
			if w.active("wiki", tokens.str("refresh_token")) {
				t.Error("the refresh token is active")
			}
			if name == "only programs" { // what was given is good for its minutes
				return
			}
			w.wantDead("wiki", tokens, c.why)
			a := w.api("wiki", "/token", codeForm(code))
			if c.code != "" {
				a.wantEnded(c.code)
			} else if a.Code != http.StatusOK || a.str("scope") != "openid email" {
				t.Errorf("the code: %d %s", a.Code, a.Body)
			}
		})
	}
}

// A client that has to bind its tokens by now has none that are not (RFC 9449 §5.2).
func TestHoleBearerTokensOfAClientThatBinds(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	key := rptest.NewKey(t, "ES256")
	tokens := w.loggedIn("alice").tokens("wiki")
	own := w.api("wiki", "/token", url.Values{"grant_type": {"client_credentials"}}).str("access_token")
	form := codeForm(w.loggedIn("alice").code("native", "scope", "openid email"))
	form.Set("client_id", "native")
	public := w.do(postForm("/token", form))
	w.reload("wiki", func(c *store.Client) { c.DPoPBoundAccessTokens = true })
	if w.askUserinfo(tokens.str("access_token")).Code != http.StatusUnauthorized || w.active("wiki", tokens.str("access_token")) || w.active("wiki", own) {
		t.Error("a bearer token is good")
	}
	r := postForm("/token", refreshForm(tokens.str("refresh_token"))) // its client proves itself by its secret
	r.SetBasicAuth("wiki", "secret")
	if a := w.do(w.prove(r, key, nil)); a.Code != http.StatusOK || a.str("token_type") != "DPoP" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
	w.reload("native", func(c *store.Client) { c.DPoPBoundAccessTokens = true })
	form = refreshForm(public.str("refresh_token")) // shown with a key, a thief's as well as its own
	form.Set("client_id", "native")
	w.do(w.prove(postForm("/token", form), key, nil)).wantEnded("not bound to a DPoP key")
}

// A scope, or a claim asked for by itself, that is taken away is not told any more;
// the rest goes on.
func TestHoleUserinfoTellsWhatTheClientMayNotAskFor(t *testing.T) {
	w := newWorld(t)
	w.user("alice", "staff")
	b := w.loggedIn("alice")
	tokens := b.tokens("wiki", "scope", "openid email groups", "claims", `{"userinfo":{"name":null},"id_token":{"name":null}}`)
	told := func(token string) string {
		t.Helper()
		a := w.askUserinfo(token)
		if a.Code != http.StatusOK {
			t.Fatalf("userinfo: %d %s", a.Code, a.Body)
		}
		return a.Body.String()
	}
	if all := told(tokens.str("access_token")); !strings.Contains(all, "alice@example.com") || !strings.Contains(all, "staff") || !strings.Contains(all, "Full alice") {
		t.Fatalf("%s", all)
	}
	w.reload("wiki", func(c *store.Client) { c.Scope = "openid email" })
	a := w.api("wiki", "/token", refreshForm(tokens.str("refresh_token")))
	if a.Code != http.StatusOK || a.str("scope") != "openid email" || w.claimsOf(a.str("id_token"))["name"] != nil {
		t.Errorf("refreshed: %d %s", a.Code, a.Body)
	}
	for _, token := range []string{tokens.str("access_token"), a.str("access_token")} {
		if all := told(token); !strings.Contains(all, "alice@example.com") || strings.Contains(all, "staff") || strings.Contains(all, "Full alice") {
			t.Errorf("%s", all)
		}
		if a := w.api("wiki", "/introspect", url.Values{"token": {token}}); a.str("scope") != "openid email" {
			t.Errorf("introspection: %s", a.Body)
		}
	}
	if a := w.api("wiki", "/introspect", url.Values{"token": {a.str("refresh_token")}}); a.str("scope") != "openid email" {
		t.Errorf("introspection: %s", a.Body)
	}
}

// Who is trusted no more goes on with what the user has allowed meanwhile, claims
// and offline_access included, and with nothing else.
func TestHoleUntrustedClientGoesOnWithoutConsent(t *testing.T) {
	w := newWorld(t)
	u := w.user("alice")
	b := w.loggedIn("alice")
	w.client("stranger").GrantTypes = []string{"authorization_code", "refresh_token"}
	again := func(c *store.Client) {
		c.GrantTypes, c.Scope = []string{"authorization_code", "refresh_token"}, everything
	}
	trusted := func(c *store.Client) { again(c); c.Trusted = nil }
	for asked, allowed := range map[string]string{
		"openid email": "openid", everything: "openid profile email groups", "openid": "openid profile",
	} {
		w.reload("stranger", trusted)
		claims := ""
		if asked == "openid" {
			claims = `{"userinfo":{"email":null}}`
		}
		tokens := b.tokens("stranger", "scope", asked, "claims", claims)
		w.reload("stranger", again)
		w.pass(remembered)
		w.wantDead("stranger", tokens, "not trusted any more")
		b.say(b.asked(b.get(authorizeURL("stranger", "scope", allowed))), true).back()
		w.pass(remembered)
		w.wantDead("stranger", tokens, "not trusted any more")
		b.say(b.asked(b.get(authorizeURL("stranger", "scope", asked, "claims", claims))), true).back()
		w.pass(remembered)
		if a := w.api("stranger", "/token", refreshForm(tokens.str("refresh_token"))); a.Code != http.StatusOK || a.str("scope") != asked {
			t.Errorf("%s, allowed: %d %s", asked, a.Code, a.Body)
		}
		if a := w.askUserinfo(tokens.str("access_token")); a.Code != http.StatusOK {
			t.Errorf("%s, allowed: %d %s", asked, a.Code, a.Body)
		}
		must(t, w.Store.RevokeConsent(t.Context(), u.ID, "stranger", store.Entry{Actor: "alice"}))
		w.api("stranger", "/token", refreshForm(tokens.str("refresh_token"))).wantError(http.StatusBadRequest, "invalid_grant")
	}
}

// A device that was allowed when its client was trusted, and asks afterwards.
func TestHoleDeviceAllowedWhenItsClientWasTrusted(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	b := w.loggedIn("alice")
	device, narrowed := w.begun(), w.begun("scope", "openid profile email")
	b.answers(device, "allow")
	b.answers(narrowed, "allow")
	w.reload("tv", untrusted)
	w.poll(device).wantEnded("has not allowed all")
	w.reload("tv", func(c *store.Client) { c.Scope = "openid" })
	if a := w.poll(narrowed); a.Code != http.StatusOK || a.str("scope") != "openid" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

// A token that a client has for itself says no more than the client may now.
func TestIntrospectionOfAnOwnTokenOfANarrowedClient(t *testing.T) {
	w := newWorld(t)
	token := w.api("wiki", "/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"read write"}}).str("access_token")
	w.reload("wiki", func(c *store.Client) { c.Scope = "openid read" })
	if a := w.api("wiki", "/introspect", url.Values{"token": {token}}); a.str("scope") != "read" {
		t.Errorf("%s", a.Body)
	}
}

// --revoke ends what a client has for itself, too, of which there is no row; what it gets
// from then on is good.
func TestHoleOwnTokensOutliveTheirClientsRevocation(t *testing.T) {
	w := newWorld(t)
	w.add("robot", func(c *store.Client) {
		c.GrantTypes, c.RedirectURIs, c.Scope = []string{"client_credentials"}, nil, "read"
	})
	token := func() string {
		return w.api("robot", "/token", url.Values{"grant_type": {"client_credentials"}}).str("access_token")
	}
	before := token()
	if !w.active("robot", before) {
		t.Fatalf("not active to begin with: %s", w.api("robot", "/introspect", url.Values{"token": {before}}).Body)
	}
	w.pass(time.Second)
	w.set("robot", true, func(*store.Client) {})
	if w.active("robot", before) {
		t.Error("active after all that it was granted was revoked")
	}
	w.pass(time.Second)
	if !w.active("robot", token()) {
		t.Error("a token that it got later is not active")
	}
}
