package oidc

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/secret"
	"idp/internal/store"
)

func TestRedirectURIIsExactExceptForLoopbackPorts(t *testing.T) {
	confidential := &store.Client{RedirectURIs: []string{"https://a.example/cb", "http://127.0.0.1/cb"}}
	native := &store.Client{TokenEndpointAuthMethod: "none",
		RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]:1234/cb?x=1", "http://localhost/cb", "http://127.0.0.1", "https://a.example/cb", "com.example.app:/cb"}}
	for _, c := range []struct {
		client *store.Client
		uri    string
		want   bool
	}{
		{confidential, "https://a.example/cb", true},
		{confidential, "https://a.example/cb/", false},
		{confidential, "https://A.example/cb", false},
		{confidential, "https://a.example:443/cb", false},
		{confidential, "https://a.example/cb?", false},
		{confidential, "https://a.example/cb#f", false},
		{confidential, "https://a.example/x/../cb", false},
		{confidential, "https://a.example/%63b", false},
		{confidential, "https://a.example.evil/cb", false},
		{confidential, "https://a.example@evil/cb", false},
		{confidential, "http://a.example/cb", false},
		{confidential, "", false},
		{confidential, "http://127.0.0.1/cb", true},
		{confidential, "http://127.0.0.1:8080/cb", false}, // not a native app
		{native, "http://127.0.0.1/cb", true},
		{native, "http://127.0.0.1:8080/cb", true},
		{native, "http://127.0.0.1:65535", true},
		{native, "http://[::1]:9/cb?x=1", true},
		{native, "http://[::1]/cb?x=1", true},
		{native, "http://[::1]:9/cb", false},
		{native, "http://127.0.0.1:8080/other", false},
		{native, "http://127.0.0.1:/cb", false},
		{native, "http://127.0.0.1:123456/cb", false},
		{native, "http://127.0.0.1:80x/cb", false},
		{native, "http://127.0.0.1:80@evil/cb", false},
		{native, "http://127.0.0.1.evil/cb", false},
		{native, "http://127.0.0.1@evil/cb", false},
		{native, "http://127.0.0.2:80/cb", false},
		{native, "http://localhost:8080/cb", false}, // a name, not an address
		{native, "https://127.0.0.1:80/cb", false},
		{native, "https://a.example:8080/cb", false},
		{native, "com.example.app:/cb", true},
		{native, "com.example.app:/cb2", false},
	} {
		if got := redirectAllowed(c.client, c.uri); got != c.want {
			t.Errorf("%q for %v: %v, want %v", c.uri, c.client.RedirectURIs, got, c.want)
		}
	}
}

func TestScopeFiltering(t *testing.T) {
	c := &store.Client{Scope: "openid email read"}
	for asked, want := range map[string]string{
		"openid email": "openid email", "email openid": "email openid", "openid admin": "openid", "admin": "", "": "",
		"openid  openid read": "openid read", "OPENID": "", "openi": "",
	} {
		if got := allowedScope(c, asked); got != want {
			t.Errorf("%q: %q, want %q", asked, got, want)
		}
	}
	if got := allowedScope(&store.Client{}, "openid groups offline_access"); got != "openid groups" {
		t.Errorf("default scope: %q", got)
	}
}

func TestGroupsAreThoseTheClientMaySee(t *testing.T) {
	groups := []string{"finance", "wiki-admins", "wiki-users"}
	for _, c := range []struct{ patterns, want []string }{
		{nil, groups},
		{[]string{"finance"}, []string{"finance"}},
		{[]string{"wiki-*"}, []string{"wiki-admins", "wiki-users"}},
		{[]string{"*"}, groups},
		{[]string{"wiki"}, []string{}},
		{[]string{"Finance"}, []string{}},
	} {
		if diff := cmp.Diff(c.want, visibleGroups(&store.Client{Groups: c.patterns}, groups)); diff != "" {
			t.Errorf("%v: %s", c.patterns, diff)
		}
	}
}

func TestPreferredUsernameTemplate(t *testing.T) {
	for _, c := range []struct{ template, name, want string }{
		{"", "alice", "alice"},
		{"", "alice@OTHER.ORG", "alice@OTHER.ORG"},
		{"{name}@{realm}", "alice", "alice@EXAMPLE.COM"},
		{"{name}@{realm}", "alice@OTHER.ORG", "alice@OTHER.ORG"},
		{`{domain}\{name}`, "alice", `EXAMPLE\alice`},
		{`{domain}\{name}`, "alice@EXAMPLE.ORG", "alice@EXAMPLE.ORG"}, // not EXAMPLE\alice
		{"{name}@corp.example.com", "alice", "alice@corp.example.com"},
		{"{name}@corp.example.com", "alice@OTHER.ORG", "alice@OTHER.ORG"},
		{"{name}@{realm}", "a@b@OTHER.ORG", "a@b@OTHER.ORG"},
		{`{domain}\{name}`, "partner:alice", "partner:alice"}, // never the company's alice
		{"{name}@{realm}", "partner:alice@EXAMPLE.COM", "partner:alice@EXAMPLE.COM"},
	} {
		if got := preferredUsername(c.template, c.name, "EXAMPLE.COM"); got != c.want {
			t.Errorf("%s of %s: %s, want %s", c.template, c.name, got, c.want)
		}
	}
}

func TestJSONObjectIsWhatEncodingJSONReads(t *testing.T) {
	values := []string{"plain", `quote " and \`, "line\nbreak", "<script>", "ümlaut", "\u2028", "bad \xff utf-8", "\x00", "\x7f"}
	for _, v := range values {
		o := newObject(0)
		o.text("a", v)
		o.text("empty", "")
		o.number("n", -5)
		o.time("t", 1999)
		o.boolean("b", true)
		o.list("l", []string{v, v})
		o.list("none", nil)
		o.list("zero", []string{})
		var got map[string]any
		raw := o.close()
		must(t, json.Unmarshal(raw, &got))
		v = strings.ToValidUTF8(v, "\ufffd")
		want := map[string]any{"a": v, "n": -5.0, "t": 1.0, "b": true, "l": []any{v, v}, "zero": []any{}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", raw, diff)
		}
	}
	if o := newObject(0); string(o.close()) != "{}" {
		t.Error("the empty object")
	}
}

func TestCheckClientFindsEveryProblem(t *testing.T) {
	no := false
	hash := [][]byte{secret.Hash("secret")}
	good := func() store.Client {
		return store.Client{ClientID: "wiki", SecretHashes: hash, RedirectURIs: []string{"https://a.example/cb"}}
	}
	for _, c := range testClients() {
		if problems := CheckClient(&c); problems != nil && c.ClientID != "lax" {
			t.Errorf("%s: %v", c.ClientID, problems)
		}
	}
	for want, change := range map[string]func(*store.Client){
		"client_id":                             func(c *store.Client) { c.ClientID = "a b" },
		"token_endpoint_auth_method":            func(c *store.Client) { c.TokenEndpointAuthMethod = "private_key_jwt" },
		"client_secret_file":                    func(c *store.Client) { c.SecretHashes = nil },
		"grant_types":                           func(c *store.Client) { c.GrantTypes = []string{"authorization_code", "password"} },
		"redirect_uris: missing":                func(c *store.Client) { c.RedirectURIs = nil },
		"redirect_uris: \"/cb\"":                func(c *store.Client) { c.RedirectURIs = []string{"/cb"} },
		"redirect_uris: \"https://*.a\"":        func(c *store.Client) { c.RedirectURIs = []string{"https://*.a"} },
		"redirect_uris: \"https://a/#f\"":       func(c *store.Client) { c.RedirectURIs = []string{"https://a/#f"} },
		"redirect_uris: \"https://b@a/\"":       func(c *store.Client) { c.RedirectURIs = []string{"https://b@a/"} },
		"redirect_uris: \"javascript:alert()\"": func(c *store.Client) { c.RedirectURIs = []string{"javascript:alert()"} },
		"post_logout_redirect_uris":             func(c *store.Client) { c.PostLogoutRedirectURIs = []string{"x"} },
		"scope":                                 func(c *store.Client) { c.Scope = "a\tb" },
		"id_token_signed_response_alg":          func(c *store.Client) { c.IDTokenAlg = "none" },
		"require_pkce": func(c *store.Client) {
			c.TokenEndpointAuthMethod, c.SecretHashes, c.RequirePKCE = "none", nil, &no
		},
		"preferred_username":                    func(c *store.Client) { c.PreferredUsername = "{user}" },
		"groups":                                func(c *store.Client) { c.Groups = []string{"a*b"} },
		"require_pushed_authorization_requests": func(c *store.Client) { c.RequirePAR = true },
		"dpop_bound_access_tokens":              func(c *store.Client) { c.DPoPBoundAccessTokens = true },
		"backchannel_logout_uri":                func(c *store.Client) { c.BackchannelLogoutURI = "https://a.example/logout" },
	} {
		c := good()
		change(&c)
		if problems := CheckClient(&c); len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), want) {
			t.Errorf("%s: %v", want, problems)
		}
	}
}

func TestTokenCacheIsBounded(t *testing.T) {
	c := newTokenCache()
	for i := range 5 * tokenCacheHalf {
		c.put([32]byte{byte(i), byte(i >> 8), byte(i >> 16)}, &accessClaims{})
	}
	if n := len(c.new) + len(c.old); n > 2*tokenCacheHalf {
		t.Errorf("%d tokens are kept", n)
	}
}

func TestClientCacheIsBoundedAndShort(t *testing.T) {
	w := newWorld(t)
	for i := range clientCacheMax + 10 {
		if _, err := w.Clients.ByID(t.Context(), strings.Repeat("x", 1+i%200)+string(rune('a'+i%26))); err == nil {
			t.Fatal("found a client that is none")
		}
	}
	if n := len(w.Clients.cached); n > clientCacheMax {
		t.Errorf("%d clients are kept", n)
	}
}
