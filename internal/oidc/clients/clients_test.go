package clients

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
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
		if got := RedirectAllowed(c.client, c.uri); got != c.want {
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
		if got := AllowedScope(c, asked); got != want {
			t.Errorf("%q: %q, want %q", asked, got, want)
		}
	}
	if got := AllowedScope(&store.Client{}, "openid groups offline_access"); got != "openid groups" {
		t.Errorf("default scope: %q", got)
	}
}

// aKey is the public key of RFC 7517 appendix A.1.
const aKey = `{"keys":[{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"sig","kid":"1"}]}`

func TestCheckFindsEveryProblem(t *testing.T) {
	no := false
	hash := [][]byte{secret.Hash("secret")}
	good := func() store.Client {
		return store.Client{ClientID: "wiki", SecretHashes: hash, RedirectURIs: []string{"https://a.example/cb"}}
	}
	fapi := func(change func(*store.Client)) func(*store.Client) {
		return func(c *store.Client) {
			c.Profile, c.TokenEndpointAuthMethod, c.SecretHashes, c.JWKS = ProfileFAPI2, "private_key_jwt", nil, json.RawMessage(aKey)
			change(c)
		}
	}
	c := good()
	if fapi(func(*store.Client) {})(&c); Check(&c) != nil {
		t.Errorf("good FAPI: %v", Check(&c))
	}
	const bearer, device = "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:device_code"
	trusting := func(change func(*store.TrustedAssertion)) func(*store.Client) {
		return func(c *store.Client) {
			entry := store.TrustedAssertion{Issuer: "https://ci.example", JWKSURI: "https://ci.example/jwks", Subject: "repo:org/app:*"}
			change(&entry)
			c.GrantTypes, c.TrustedAssertions = []string{bearer}, []store.TrustedAssertion{entry}
		}
	}
	for name, change := range map[string]func(*store.Client){
		"a workload": func(c *store.Client) {
			trusting(func(*store.TrustedAssertion) {})(c)
			c.TokenEndpointAuthMethod, c.SecretHashes, c.RedirectURIs = "none", nil, nil
		},
		"a device": func(c *store.Client) { c.GrantTypes, c.RedirectURIs = []string{device, "refresh_token"}, nil },
		"a service by key": func(c *store.Client) {
			c.GrantTypes, c.RedirectURIs, c.JWKS = []string{bearer}, nil, json.RawMessage(aKey)
		},
	} {
		c := good()
		if change(&c); Check(&c) != nil {
			t.Errorf("%s: %v", name, Check(&c))
		}
	}
	if c := good(); Check(&c) != nil {
		t.Errorf("good: %v", Check(&c))
	}
	c = good()
	c.BackchannelLogoutURI, c.BackchannelLogoutSession = "http://10.0.0.1:8080/logout?x=1", true
	c.FrontchannelLogoutURI, c.FrontchannelLogoutSession = "https://A.example:443/logout?x=1", true
	if problems := Check(&c); problems != nil {
		t.Errorf("good logout URIs: %v", problems)
	}
	for want, change := range map[string]func(*store.Client){
		"client_id":                         func(c *store.Client) { c.ClientID = "a b" },
		"client_uri":                        func(c *store.Client) { c.ClientURI = "wiki.example.com" },
		"policy_uri":                        func(c *store.Client) { c.PolicyURI = "javascript:alert(1)" },
		"tos_uri":                           func(c *store.Client) { c.TOSURI = "https://wiki.example.com@evil.example/" },
		"token_endpoint_auth_method: \"x\"": func(c *store.Client) { c.TokenEndpointAuthMethod = "x" },
		"token_endpoint_auth_method: a client": func(c *store.Client) {
			c.TokenEndpointAuthMethod, c.JWKSURI = "private_key_jwt", "https://a.example/jwks"
		},
		"token_endpoint_auth_method: a public": func(c *store.Client) { c.TokenEndpointAuthMethod = "none" },
		"jwks: missing":                        func(c *store.Client) { c.TokenEndpointAuthMethod, c.SecretHashes = "private_key_jwt", nil },
		"jwks: there is":                       func(c *store.Client) { c.JWKS, c.JWKSURI = json.RawMessage(aKey), "https://a.example/jwks" },
		"jwks: ":                               func(c *store.Client) { c.JWKS = json.RawMessage(`{"keys":[{"kty":"oct","k":"AA"}]}`) },
		"jwks_uri":                             func(c *store.Client) { c.JWKSURI = "ftp://a.example/jwks" },
		"jwks_uri: want https":                 func(c *store.Client) { c.JWKSURI = "http://a.example/jwks" },
		"token_endpoint_auth_signing_alg":      func(c *store.Client) { c.TokenEndpointAuthAlg = "HS256" },
		"profile: \"x\"":                       func(c *store.Client) { c.Profile = "x" },
		"profile: fapi2 needs token":           func(c *store.Client) { c.Profile = "fapi2" },
		"profile: fapi2 needs https":           fapi(func(c *store.Client) { c.RedirectURIs = []string{"http://a.example/cb"} }),
		"profile: fapi2 needs PKCE":            fapi(func(c *store.Client) { c.RequirePKCE = &no }),
		"profile: fapi2 does without RS256":    fapi(func(c *store.Client) { c.IDTokenAlg = "RS256" }),
		"client_secret_file":                   func(c *store.Client) { c.SecretHashes = nil },
		"grant_types":                          func(c *store.Client) { c.GrantTypes = []string{"authorization_code", "password"} },
		"grant_types: " + bearer + " needs":    func(c *store.Client) { c.GrantTypes = []string{bearer} },
		"trusted_assertions: without": func(c *store.Client) {
			trusting(func(*store.TrustedAssertion) {})(c)
			c.GrantTypes = nil
		},
		"trusted_assertions: not for": func(c *store.Client) {
			trusting(func(*store.TrustedAssertion) {})(c)
			c.Registered = true
		},
		"trusted_assertions: entry 2 is there twice": func(c *store.Client) {
			trusting(func(*store.TrustedAssertion) {})(c)
			c.TrustedAssertions = append(c.TrustedAssertions, c.TrustedAssertions[0])
		},
		"trusted_assertions: entry 1: issuer: want": trusting(func(e *store.TrustedAssertion) { e.Issuer = "ci.example" }),
		"trusted_assertions: entry 1: issuer: is": func(c *store.Client) {
			c.ClientID = "https://ci.example"
			trusting(func(*store.TrustedAssertion) {})(c)
		},
		"trusted_assertions: entry 1: subject":           trusting(func(e *store.TrustedAssertion) { e.Subject = "" }),
		"trusted_assertions: entry 1: jwks_uri: missing": trusting(func(e *store.TrustedAssertion) { e.JWKSURI = "" }),
		"trusted_assertions: entry 1: jwks_uri: want":    trusting(func(e *store.TrustedAssertion) { e.JWKSURI = "http://ci.example/jwks" }),
		"profile: fapi2 knows":                           fapi(trusting(func(*store.TrustedAssertion) {})),
		"trusted_assertions: entry 1: jwks_uri: ":        trusting(func(e *store.TrustedAssertion) { e.JWKSURI = "ftp://ci.example/jwks" }),
		"redirect_uris: missing":                         func(c *store.Client) { c.RedirectURIs = nil },
		"redirect_uris: \"/cb\"":                         func(c *store.Client) { c.RedirectURIs = []string{"/cb"} },
		"redirect_uris: \"https://*.a\"":                 func(c *store.Client) { c.RedirectURIs = []string{"https://*.a"} },
		"redirect_uris: \"https://a/#f\"":                func(c *store.Client) { c.RedirectURIs = []string{"https://a/#f"} },
		"redirect_uris: \"https://b@a/\"":                func(c *store.Client) { c.RedirectURIs = []string{"https://b@a/"} },
		"redirect_uris: \"javascript:alert()\"":          func(c *store.Client) { c.RedirectURIs = []string{"javascript:alert()"} },
		"post_logout_redirect_uris":                      func(c *store.Client) { c.PostLogoutRedirectURIs = []string{"x"} },
		"scope":                                          func(c *store.Client) { c.Scope = "a\tb" },
		"userinfo_signed_response_alg":                   func(c *store.Client) { c.UserinfoAlg = "HS256" },
		"id_token_signed_response_alg":                   func(c *store.Client) { c.IDTokenAlg = "none" },
		"require_pkce": func(c *store.Client) {
			c.TokenEndpointAuthMethod, c.SecretHashes, c.RequirePKCE = "none", nil, &no
		},
		"preferred_username":             func(c *store.Client) { c.PreferredUsername = "{user}" },
		"groups":                         func(c *store.Client) { c.Groups = []string{"a*b"} },
		"require_nonce":                  func(c *store.Client) { c.RequireNonce = &no },
		"default_max_age":                func(c *store.Client) { c.DefaultMaxAge = new(int64); *c.DefaultMaxAge = -1 },
		"backchannel_logout_uri: \"/x\"": func(c *store.Client) { c.BackchannelLogoutURI = "/x" },
		"require_nonce: ":                fapi(func(c *store.Client) { c.RequireNonce = &no }),
		"require_pkce: must not be false for": func(c *store.Client) {
			c.Registered, c.RequirePKCE, c.RequireNonce = true, &no, &no
		},
		"redirect_uris: \"http://a.example/\": want https": func(c *store.Client) {
			c.Registered, c.RedirectURIs = true, []string{"http://a.example/"}
		},
		"post_logout_redirect_uris: \"http://a.example/\"": func(c *store.Client) {
			c.Registered, c.PostLogoutRedirectURIs = true, []string{"http://a.example/"}
		},
		"jwks_uri: \"http://127.0.0.1/\"": func(c *store.Client) { c.Registered, c.JWKSURI = true, "http://127.0.0.1/" },
		"backchannel_logout_uri: \"a.b:/x\"": func(c *store.Client) {
			c.TokenEndpointAuthMethod, c.SecretHashes, c.BackchannelLogoutURI = "none", nil, "a.b:/x"
		},
		"backchannel_logout_uri: \"http://a.example/x\"": func(c *store.Client) {
			c.TokenEndpointAuthMethod, c.SecretHashes, c.BackchannelLogoutURI = "none", nil, "http://a.example/x"
		},
		"backchannel_logout_uri: \"https://a.example/#x\"":  func(c *store.Client) { c.BackchannelLogoutURI = "https://a.example/#x" },
		"backchannel_logout_session_required":               func(c *store.Client) { c.BackchannelLogoutSession = true },
		"frontchannel_logout_uri: \"https://b.example/x\"":  func(c *store.Client) { c.FrontchannelLogoutURI = "https://b.example/x" },
		"frontchannel_logout_uri: \"http://a.example/x\"":   func(c *store.Client) { c.FrontchannelLogoutURI = "http://a.example/x" },
		"frontchannel_logout_uri: \"https://a.example/#x\"": func(c *store.Client) { c.FrontchannelLogoutURI = "https://a.example/#x" },
		"frontchannel_logout_uri: \"https://a.example;x/\"": func(c *store.Client) {
			c.FrontchannelLogoutURI = "https://a.example;x/"
		},
		"frontchannel_logout_session_required": func(c *store.Client) { c.FrontchannelLogoutSession = true },
	} {
		c := good()
		change(&c)
		if problems := Check(&c); len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), want) {
			t.Errorf("%s: %v", want, problems)
		}
	}
}

// What is looked at every time (groups, whom it is for, redirect URIs) ends nothing;
// what was granted under more trust does.
func TestLessTrustEndsWhatWasGranted(t *testing.T) {
	yes, no := true, false
	base := store.Client{ClientID: "wiki", GrantTypes: []string{"authorization_code", "refresh_token"}, Scope: "openid email"}
	for name, c := range map[string]struct {
		change func(*store.Client)
		want   bool
	}{
		"nothing":           {func(*store.Client) {}, false},
		"trusted, said":     {func(c *store.Client) { c.Trusted = &yes }, false},
		"a redirect URI":    {func(c *store.Client) { c.RedirectURIs = []string{"https://a.example/"} }, false},
		"more scope":        {func(c *store.Client) { c.Scope = "email openid groups" }, false},
		"another name":      {func(c *store.Client) { c.ClientName = "Wiki" }, false},
		"whom it is for":    {func(c *store.Client) { c.AllowGroups = []string{"staff"} }, false},
		"not trusted":       {func(c *store.Client) { c.Trusted = &no }, true},
		"less scope":        {func(c *store.Client) { c.Scope = "openid" }, true},
		"the default scope": {func(c *store.Client) { c.Scope = "" }, false},
		"no refresh tokens": {func(c *store.Client) { c.GrantTypes = nil }, true},
		"bound tokens":      {func(c *store.Client) { c.DPoPBoundAccessTokens = true }, true},
	} {
		after := base
		c.change(&after)
		if got := LowersTrust(&base, &after); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	if Trusted(&store.Client{Registered: true}) || !Trusted(&store.Client{Registered: true, Trusted: &yes}) || !Trusted(&store.Client{}) {
		t.Error("who registered itself is trusted when an administrator says so")
	}
}

func TestResourcesAreForWhomTheyName(t *testing.T) {
	for _, c := range []struct {
		client store.Client
		named  []string
		want   bool
	}{
		{store.Client{ClientID: "wiki"}, nil, true},
		{store.Client{ClientID: "wiki"}, []string{"shop"}, false},
		{store.Client{ClientID: "wiki"}, []string{"shop", "wiki"}, true},
		{store.Client{ClientID: "theirs", Registered: true}, nil, false},
		{store.Client{ClientID: "theirs", Registered: true}, []string{"theirs"}, true},
	} {
		if got := MayAsk(&c.client, store.Resource{Clients: c.named}); got != c.want {
			t.Errorf("%+v of %v: %v", c.client, c.named, got)
		}
	}
}

// What is shown holds every default and no hash.
func TestMetadataIsComplete(t *testing.T) {
	text, err := json.Marshal(MetadataOf(store.Client{ClientID: "wiki", SecretHashes: [][]byte{{1}}, Profile: ProfileFAPI2, CreatedAt: 1_800_000_000_123}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"client_id":"wiki","token_endpoint_auth_method":"client_secret_basic","dpop_bound_access_tokens":true,"profile":"fapi2",` +
		`"grant_types":["authorization_code"],"scope":"openid profile email groups","require_pkce":true,"require_pushed_authorization_requests":true,"trusted":true,` +
		`"id_token_signed_response_alg":"ES256","client_id_issued_at":1800000000,"response_types":["code"]}`
	if string(text) != want {
		t.Errorf("got  %s\nwant %s", text, want)
	}
}

func TestCacheIsBoundedAndShort(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	st := storetest.Open(t, store.Config{URL: storetest.SQLite(t)})
	r := New(nil, st, func() time.Time { return now })
	for i := range cacheMax + 10 {
		if _, err := r.ByID(t.Context(), strings.Repeat("x", 1+i%200)+string(rune('a'+i%26))); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("found a client that is none: %v", err)
		}
	}
	if n := len(r.cached); n > cacheMax {
		t.Errorf("%d clients are kept", n)
	}
	if _, err := r.ByID(t.Context(), "late"); !errors.Is(err, store.ErrNotFound) {
		t.Fatal(err)
	}
	if err := st.AddClient(t.Context(), store.Client{ClientID: "late"}, store.Entry{Actor: "test"}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(cacheFor + time.Millisecond)
	if _, err := r.ByID(t.Context(), "late"); err != nil {
		t.Errorf("a client made meanwhile is not seen: %v", err)
	}
}

func TestWhoLearnsTheSession(t *testing.T) {
	for name, c := range map[string]struct {
		client store.Client
		want   bool
	}{
		"ordinary":            {store.Client{}, true},
		"FAPI":                {store.Client{Profile: ProfileFAPI2}, false},
		"FAPI, back channel":  {store.Client{Profile: ProfileFAPI2, BackchannelLogoutURI: "https://a.example/out"}, true},
		"FAPI, front channel": {store.Client{Profile: ProfileFAPI2, FrontchannelLogoutURI: "https://a.example/out"}, true},
		"FAPI, comes back":    {store.Client{Profile: ProfileFAPI2, PostLogoutRedirectURIs: []string{"https://a.example/"}}, true},
	} {
		if got := LearnsSession(&c.client); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
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
		if diff := cmp.Diff(c.want, VisibleGroups(&store.Client{Groups: c.patterns}, groups)); diff != "" {
			t.Errorf("%v: %s", c.patterns, diff)
		}
	}
}
