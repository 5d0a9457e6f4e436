package server_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"

	"idp/internal/directory/ldaptest"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/store"
	"idp/internal/store/storetest"
)

// company is a server with a realm and a directory, and a clock of its own.
type company struct {
	*idptest.Server
	t     *testing.T
	realm *krbtest.Realm
	ldap  *ldaptest.Server
	alice string // her DN
	rp    *relyingParty
	ahead *atomic.Int64
}

const staff = "  groups: {team: staff, bosses: management}\n"

func newCompany(t *testing.T, database string) *company {
	t.Helper()
	c := &company{t: t, realm: krbtest.Start(t, krbtest.Options{}), ldap: ldaptest.Start(t), ahead: &atomic.Int64{}}
	c.pass(-270 * time.Second) // five minutes later tickets, which are of this world, are still good
	c.alice = c.ldap.AddPerson("alice", "displayName", "Alice Liddell", "mail", "alice@example.test")
	c.ldap.AddGroup("team", c.alice)
	c.ldap.AddGroup("bosses", ldaptest.BindDN)
	c.Server = idptest.Start(t, idptest.Options{Database: database,
		Now:  func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) },
		YAML: idptest.KerberosYAML(c.realm) + c.ldap.YAML(staff) + metered + "lifetimes: {session_idle: 24h, session_absolute: 24h, refresh_idle: 24h}\n",
		Clients: "  - {client_id: kube, client_secret_file: wiki.secret, redirect_uris: [http://kube.localhost/cb], claims_in_id_token: true, grant_types: [authorization_code, refresh_token]}\n" +
			"  - {client_id: mail, client_secret_file: wiki.secret, redirect_uris: [http://mail.localhost/cb], scope: openid offline_access, grant_types: [authorization_code, refresh_token]}\n"})
	c.rp = newRelyingParty(t, c.Server, "kube", idptest.WikiSecret, "http://kube.localhost/cb")
	return c
}

func eachCompany(t *testing.T, test func(t *testing.T, c *company)) {
	storetest.EachURL(t, func(t *testing.T, database string) { test(t, newCompany(t, database)) })
}

func (c *company) pass(d time.Duration) { c.ahead.Add(int64(d)) }

// logIn logs alice in by ticket in a new browser.
func (c *company) logIn() (b *idptest.Browser, token *oauth2.Token, claims map[string]any) {
	c.t.Helper()
	b = c.Browser(c.t)
	auth := idptest.NewAuth("kube", "http://kube.localhost/cb")
	challenge := b.Get(auth.URL())
	p := b.GetWith(challenge.Request.URL.String(), idptest.Negotiate(c.t, ticketFor(c.t, c.realm, "alice", krbtest.AlicePassword)))
	token, err := c.rp.oauth.Exchange(c.rp.ctx, auth.Code(c.t, c.Server, p), oauth2.VerifierOption(auth.Verifier))
	if err != nil {
		c.t.Fatal(err)
	}
	return b, token, c.rp.claims(c.t, token, auth.Query.Get("nonce"))
}

// refused is a login of alice by ticket that must fail.
func (c *company) refused(want string) {
	c.t.Helper()
	p := c.Program(c.t).GetWith("/login/negotiate", idptest.Negotiate(c.t, ticketFor(c.t, c.realm, "alice", krbtest.AlicePassword)))
	if p.StatusCode != http.StatusUnauthorized || len(c.Log.Lines("reason=USER_DISABLED", want)) == 0 {
		c.t.Errorf("login by ticket: %d, want 401, and a log line with USER_DISABLED and %q:\n%s", p.StatusCode, want, c.Log)
	}
}

// refresh uses a refresh token and returns the error, if any.
func (c *company) refresh(from *oauth2.Token) (next *oauth2.Token, status int, fault string) {
	c.t.Helper()
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {from.RefreshToken}}
	p := c.post("/token", form)
	var got struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
		Error   string `json:"error"`
	}
	if err := json.Unmarshal([]byte(p.Body), &got); err != nil {
		c.t.Fatalf("%d %s", p.StatusCode, p.Body)
	}
	next = &oauth2.Token{AccessToken: got.Access, RefreshToken: got.Refresh}
	return next.WithExtra(map[string]any{"id_token": got.ID}), p.StatusCode, got.Error
}

func (c *company) post(path string, form url.Values) *idptest.Page {
	c.t.Helper()
	r, _ := http.NewRequest(http.MethodGet, c.Issuer, nil)
	r.SetBasicAuth("kube", idptest.WikiSecret)
	return c.Program(c.t).Once(http.MethodPost, path, form, r.Header)
}

// good is a refresh that must work.
func (c *company) good(from *oauth2.Token) *oauth2.Token {
	c.t.Helper()
	next, status, fault := c.refresh(from)
	if status != http.StatusOK {
		c.t.Fatalf("refresh: %d %s", status, fault)
	}
	return next
}

func (c *company) groups() []string { c.t.Helper(); return c.User("alice").Groups }

// events of an audit event, by their details.
func (c *company) events(event string) (details []string) {
	c.t.Helper()
	entries, err := c.Store().Entries(c.t.Context(), store.Filter{UserID: c.User("alice").ID, Event: event})
	if err != nil {
		c.t.Fatal(err)
	}
	for _, e := range entries {
		details = append(details, e.Detail)
	}
	return details
}

// active is what introspection says of a token.
func (c *company) active(token string) bool {
	c.t.Helper()
	var got struct{ Active bool }
	if p := c.post("/introspect", url.Values{"token": {token}}); json.Unmarshal([]byte(p.Body), &got) != nil {
		c.t.Fatalf("%d %s", p.StatusCode, p.Body)
	}
	return got.Active
}

// TestDirectoryTellsWhoATicketIs: name, mail and groups in the ID token are the
// directory's, and what changes there is told at the next refresh after five minutes.
func TestDirectoryTellsWhoATicketIs(t *testing.T) {
	t.Parallel()
	eachCompany(t, func(t *testing.T, c *company) {
		_, token, claims := c.logIn()
		want := map[string]any{"name": "Alice Liddell", "email": "alice@example.test", "groups": []any{"staff"}, "preferred_username": "alice"}
		for name, v := range want {
			if diff := cmp.Diff(v, claims[name]); diff != "" {
				t.Errorf("%s in the ID token (-want +got):\n%s", name, diff)
			}
		}
		c.ldap.Set("cn=bosses,"+ldaptest.Groups, "member", c.alice)
		c.ldap.Set(c.alice, "displayName", "Alice Hargreaves")
		token = c.good(token)
		if got := c.groups(); !slices.Equal(got, []string{"staff"}) {
			t.Errorf("asked again within five minutes: %q", got)
		}
		c.pass(5 * time.Minute)
		token = c.good(token)
		p := c.Program(t).Once(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + token.AccessToken}})
		if !strings.Contains(p.Body, `"groups":["management","staff"]`) || !strings.Contains(p.Body, "Hargreaves") {
			t.Errorf("after five minutes: %s", p.Body)
		}
		raw, _ := token.Extra("id_token").(string)
		if !strings.Contains(payload(t, raw), `"groups":["management","staff"]`) {
			t.Errorf("the ID token of the refresh: %s", payload(t, raw))
		}
		c.pass(5 * time.Minute)
		c.good(token)
		if got := c.events("user_changed"); len(got) != 2 || got[0] != "from the directory" {
			t.Errorf("audit: %q, want an entry for each change and no more", got)
		}
	})
}

// TestHoleDisabledInTheDirectoryGoesOn: within five minutes all is over: refresh,
// session, introspection, userinfo, new logins; and begins again with the account.
func TestHoleDisabledInTheDirectoryGoesOn(t *testing.T) {
	t.Parallel()
	eachCompany(t, func(t *testing.T, c *company) {
		b, token, _ := c.logIn()
		_, idle, _ := c.logIn() // another device
		c.pass(4 * time.Minute)
		idle = c.good(idle) // its access token is good for another five minutes
		c.ldap.Set(c.alice, "nsAccountLock", "TRUE")
		if !c.active(idle.AccessToken) {
			t.Fatal("the access token is not active to begin with")
		}
		c.pass(time.Minute)
		if _, status, fault := c.refresh(token); status != http.StatusBadRequest || fault != "invalid_grant" {
			t.Errorf("refresh: %d %s, want invalid_grant", status, fault)
		}
		if len(c.Log.Lines("/token", "nsAccountLock")) == 0 {
			t.Errorf("no log line says why:\n%s", strings.Join(c.Log.Lines("/token"), "\n"))
		}
		if c.active(idle.AccessToken) || c.active(idle.RefreshToken) {
			t.Error("introspection: active")
		}
		if p := c.Program(t).Once(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + idle.AccessToken}}); p.StatusCode != http.StatusUnauthorized {
			t.Errorf("userinfo: %d %s", p.StatusCode, p.Body)
		}
		if p := b.Once(http.MethodGet, idptest.Wiki().URL(), nil, nil); !strings.Contains(p.Header.Get("Location"), "/login") {
			t.Errorf("the session gives a code: %s", p.Header.Get("Location"))
		}
		c.refused("the directory says of the account: it is disabled (nsAccountLock)")
		if got := c.events("directory_disabled"); !slices.Equal(got, []string{"it is disabled (nsAccountLock)"}) {
			t.Errorf("audit: %q, want it once", got)
		}
		c.ldap.Set(c.alice, "nsAccountLock")
		c.pass(30 * time.Second)
		_, token, _ = c.logIn()
		c.good(token)
		if _, status, _ := c.refresh(idle); status != http.StatusBadRequest {
			t.Error("what had ended is alive again")
		}
	})
}

// TestHoleDisabledAccountByIntrospectionAlone: whoever never refreshes is found out
// too, and so is a session that only comes back.
func TestHoleDisabledAccountByIntrospectionAlone(t *testing.T) {
	t.Parallel()
	for what, use := range map[string]func(*company, *idptest.Browser, *oauth2.Token) bool{
		"introspection":                func(c *company, _ *idptest.Browser, token *oauth2.Token) bool { return c.active(token.AccessToken) },
		"introspection of the refresh": func(c *company, _ *idptest.Browser, token *oauth2.Token) bool { return c.active(token.RefreshToken) },
		"userinfo": func(c *company, _ *idptest.Browser, token *oauth2.Token) bool {
			return c.Program(c.t).Once(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + token.AccessToken}}).StatusCode == 200
		},
		"the session": func(c *company, b *idptest.Browser, _ *oauth2.Token) bool {
			return strings.HasPrefix(b.Once(http.MethodGet, idptest.Wiki().URL(), nil, nil).Header.Get("Location"), "http://wiki.localhost/")
		},
	} {
		t.Run(what, func(t *testing.T) {
			c := newCompany(t, "")
			b, token, _ := c.logIn()
			c.pass(4 * time.Minute)
			token = c.good(token)
			c.ldap.Set(c.alice, "pwdAccountLockedTime", "000001010000Z")
			if !use(c, b, token) {
				t.Fatal("it is over too early")
			}
			c.pass(time.Minute)
			if use(c, b, token) {
				t.Error("it goes on")
			}
			if got := c.events("directory_disabled"); len(got) != 1 {
				t.Errorf("audit: %q", got)
			}
		})
	}
}

// TestASessionOutlivesItsTicketWhileTheDirectoryVouches, and not a moment longer than
// the ticket when it is silent; nothing that it costs is lost when it answers again.
func TestASessionOutlivesItsTicketWhileTheDirectoryVouches(t *testing.T) {
	t.Parallel()
	eachCompany(t, func(t *testing.T, c *company) {
		b, token, _ := c.logIn()
		silently := func() bool {
			return strings.HasPrefix(b.Once(http.MethodGet, idptest.Wiki().URL(), nil, nil).Header.Get("Location"), "http://wiki.localhost/")
		}
		c.ldap.Stop()
		c.pass(9 * time.Hour)
		if token = c.good(token); !silently() {
			t.Error("within the ticket a directory that is down costs nobody anything")
		}
		c.pass(2 * time.Hour)
		if _, status, fault := c.refresh(token); status != http.StatusServiceUnavailable || fault != "temporarily_unavailable" {
			t.Errorf("refresh beyond the ticket with nobody vouching: %d %s", status, fault)
		}
		if silently() {
			t.Error("a session beyond its ticket gives codes with nobody vouching")
		}
		c.ldap.Run()
		c.pass(10 * time.Second)
		if token = c.good(token); !silently() {
			t.Error("the directory vouches, and the session is over")
		}
		c.pass(12 * time.Hour)
		if _, status, _ := c.refresh(token); status != http.StatusOK {
			t.Error("within session_absolute the directory vouches, and refresh is over")
		}
		c.pass(2 * time.Hour)
		if _, status, _ := c.refresh(token); status == http.StatusOK || silently() {
			t.Error("it outlives session_absolute")
		}
	})
}

// TestLoginsGoOnWithoutTheDirectory, by what the ticket says, until the ticket ends.
func TestLoginsGoOnWithoutTheDirectory(t *testing.T) {
	t.Parallel()
	c := newCompany(t, "")
	c.ldap.Stop()
	b, token, claims := c.logIn()
	if claims["preferred_username"] != "alice" || claims["name"] != nil || claims["groups"] != nil && len(claims["groups"].([]any)) > 0 {
		t.Errorf("claims: %v", claims)
	}
	if len(c.Log.Lines("login=ticket", "the directory does not answer", "connect")) != 1 || len(c.Log.Lines("the directory does not answer; tickets count")) != 1 {
		t.Errorf("the login's line says why, and once there is one of its own:\n%s", c.Log)
	}
	if got := scrape(t, c.Server); !strings.Contains(got, `idp_directory_lookups_total{result="silent"} `) {
		t.Error("it is not counted")
	}
	c.ldap.Run()
	c.pass(11 * time.Hour)
	if _, status, _ := c.refresh(token); status != http.StatusBadRequest {
		t.Errorf("nobody had vouched for this session: %d", status)
	}
	if p := b.Once(http.MethodGet, idptest.Wiki().URL(), nil, nil); !strings.Contains(p.Header.Get("Location"), "/login") {
		t.Errorf("it outlives its ticket: %s", p.Header.Get("Location"))
	}
}

// TestHoleAccountThatIsGoneGoesOn: an account that the directory has had and has not
// any more is disabled, unless idp cannot see anybody there.
func TestHoleAccountThatIsGoneGoesOn(t *testing.T) {
	t.Parallel()
	c := newCompany(t, "")
	c.ldap.AddPerson("somebody")
	_, token, _ := c.logIn()
	c.ldap.Delete(c.alice)
	c.pass(5 * time.Minute)
	if _, status, _ := c.refresh(token); status != http.StatusBadRequest {
		t.Errorf("refresh: %d", status)
	}
	c.refused("it is not there any more")

	c = newCompany(t, "")
	_, token, _ = c.logIn()
	c.ldap.Delete(c.alice) // the only one: as if nobody could be seen any more
	c.pass(5 * time.Minute)
	c.good(token)
	if got := c.events("directory_disabled"); len(got) != 0 {
		t.Errorf("audit: %q", got)
	}
}

// TestWhoTheDirectoryNeverKnew logs in by ticket, as without it.
func TestWhoTheDirectoryNeverKnew(t *testing.T) {
	t.Parallel()
	c := newCompany(t, "")
	c.ldap.AddPerson("somebody")
	c.ldap.Delete(c.alice)
	_, token, claims := c.logIn()
	if claims["email"] != nil {
		t.Errorf("claims: %v", claims)
	}
	c.pass(9 * time.Hour)
	token = c.good(token)
	c.pass(2 * time.Hour)
	if _, status, _ := c.refresh(token); status != http.StatusBadRequest {
		t.Errorf("it outlives its ticket: %d", status)
	}
}

// TestLocalUsersAreNotAskedFor, and somebody who has both is, whichever way they come.
func TestLocalUsersAreNotAskedFor(t *testing.T) {
	t.Parallel()
	c := newCompany(t, "")
	b := c.Browser(t)
	if p := b.LogIn(b.Get("/login"), "bob", idptest.BobPassword); p.Request.URL.Path != "/account" {
		t.Fatalf("bob is at %s", p.Request.URL.Path)
	}
	if got := scrape(t, c.Server); strings.Contains(got, "idp_directory_lookups_total{") {
		t.Error("the directory was asked about a local user")
	}
	bob := c.User("bob")
	id := store.Identity{Source: "kerberos:" + c.realm.Name, Key: "name:bob", UserID: bob.ID}
	if err := c.Store().LinkIdentity(t.Context(), id, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	c.ldap.Set(c.ldap.AddPerson("bob", "mail", "bob@example.test"), "nsAccountLock", "TRUE")
	c.pass(5 * time.Minute)
	b = c.Browser(t)
	if p := b.LogIn(b.Get("/login"), "bob", idptest.BobPassword); p.StatusCode != http.StatusForbidden || strings.Contains(p.Body, "nsAccountLock") {
		t.Errorf("bob, disabled in the directory, by his local password: %d\n%s", p.StatusCode, p.Body)
	}
	if len(c.Log.Lines("login=form", "reason=USER_DISABLED", "nsAccountLock")) != 1 {
		t.Errorf("no log line says why:\n%s", strings.Join(c.Log.Lines("login=form"), "\n"))
	}
	if got := scrape(t, c.Server); !strings.Contains(got, `idp_directory_lookups_total{result="disabled"} 1`) {
		t.Error("he was not asked for")
	}
}

// payload is the body of a JWT.
func payload(t *testing.T, jwt string) string {
	t.Helper()
	part := strings.Split(jwt, ".")
	if len(part) != 3 {
		t.Fatalf("no JWT: %q", jwt)
	}
	b, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
