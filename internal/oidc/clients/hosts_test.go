package clients

import (
	"slices"
	"strings"
	"testing"

	"idp/internal/store"
	"idp/internal/store/storetest"
	"idp/internal/web"
)

// TestHoleHostThatReadsAsAnother: a host that is not what people read, in whichever
// member, is refused of every relying party, also when its letters came encoded.
func TestHoleHostThatReadsAsAnother(t *testing.T) {
	for _, host := range []string{"ex%D0%B0mple.com", "example.com%E2%81%84login.evil.example", "%E2%80%AEmoc.elpmaxe", "bank.example%E2%80%8B", "bank.example%C2%A0%C2%A0.evil.example", "2130706433"} {
		uri := "https://" + host + "/cb"
		for member, set := range map[string]func(*store.Client){
			"redirect_uris":             func(c *store.Client) { c.RedirectURIs = []string{uri} },
			"post_logout_redirect_uris": func(c *store.Client) { c.PostLogoutRedirectURIs = []string{uri} },
			"backchannel_logout_uri":    func(c *store.Client) { c.BackchannelLogoutURI = uri },
			"frontchannel_logout_uri":   func(c *store.Client) { c.FrontchannelLogoutURI = uri },
			"client_uri":                func(c *store.Client) { c.ClientURI = uri },
			"policy_uri":                func(c *store.Client) { c.PolicyURI = uri },
			"tos_uri":                   func(c *store.Client) { c.TOSURI = uri },
			"jwks_uri":                  func(c *store.Client) { c.JWKSURI = uri },
		} {
			c := store.Client{ClientID: "a", SecretHashes: [][]byte{{1}}, RedirectURIs: []string{"https://a.example/cb"}}
			set(&c)
			if problems := Check(&c); len(problems) != 1 || !strings.HasPrefix(problems[0].Error(), member+": ") || !strings.Contains(problems[0].Error(), "host name of letters") {
				t.Errorf("%s %s: %v", member, uri, problems)
			}
			if site := SiteOf(&c, ""); strings.ContainsFunc(site.Host, func(r rune) bool { return r > '~' }) {
				t.Errorf("%s %s: shown as %q", member, uri, site.Host)
			}
		}
		if problems := CheckResource(store.Resource{URI: uri}, "https://sso.example.com"); len(problems) != 1 {
			t.Errorf("resource %s: %v", uri, problems)
		}
	}
	for _, name := range []string{"B\u3164", "\u115f", "a\u1160b", "\uffa0", "\u2800", "a\u034f", "a\u200b", "a\u202eb", "a\nb", "-", "\u2764"} {
		if CheckName(name) == nil {
			t.Errorf("%+q is a name", name)
		}
	}
	for _, name := range []string{"", "Wiki", "Café №1", "日本", "ウィキ", "위키", "7", "Ελληνικά", "\u2764\ufe0f Cake"} {
		if err := CheckName(name); err != nil {
			t.Errorf("%+q: %v", name, err)
		}
	}
}

// What is shown is where the answer goes, and without an answer only what cannot be
// somebody else's.
func TestWhereASiteIs(t *testing.T) {
	const device = "urn:ietf:params:oauth:grant-type:device_code"
	both := []string{"authorization_code", device}
	yes := true
	for name, c := range map[string]struct {
		client   store.Client
		redirect string
		want     web.Site
	}{
		"the one used":         {store.Client{RedirectURIs: []string{"https://a.example/", "https://b.example/"}}, "https://B.example:8443/", web.Site{Host: "b.example:8443"}},
		"several, none used":   {store.Client{RedirectURIs: []string{"https://a.example/", "https://b.example/"}}, "", web.Site{}},
		"one, none used":       {store.Client{RedirectURIs: []string{"https://a.example/1", "https://a.example/2"}, GrantTypes: both}, "", web.Site{Host: "a.example"}},
		"an app":               {store.Client{}, "com.example.app:/cb", web.Site{Host: "the app com.example.app"}},
		"an app with a host":   {store.Client{}, "com.evil.app://bank.example/cb", web.Site{Host: "the app com.evil.app"}},
		"an app like a host":   {store.Client{}, "bank.example:/cb", web.Site{Host: "the app bank.example"}},
		"no host":              {store.Client{RedirectURIs: []string{"https://ex%D0%B0mple.com/"}}, "", web.Site{}},
		"a stranger":           {store.Client{Registered: true, RedirectURIs: []string{"https://a.example/"}}, "", web.Site{Host: "a.example", Unchecked: true}},
		"a stranger's device":  {store.Client{Registered: true, RedirectURIs: []string{"https://bank.example/"}, GrantTypes: both}, "", web.Site{Unchecked: true}},
		"a stranger redirects": {store.Client{Registered: true, RedirectURIs: []string{"https://a.example/"}, GrantTypes: both}, "https://a.example/", web.Site{Host: "a.example", Unchecked: true}},
		"adopted":              {store.Client{Registered: true, Trusted: &yes, RedirectURIs: []string{"https://a.example/"}}, "", web.Site{Host: "a.example"}},
	} {
		c.client.ClientName, c.want.Name = name, name
		if got := *SiteOf(&c.client, c.redirect); got != c.want {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// Who registers itself is where nobody is known to be.
func TestNewcomersHaveAHostOfTheirOwn(t *testing.T) {
	st, yes := storetest.Open(t, store.Config{URL: storetest.SQLite(t)}), true
	r := New([]store.Client{
		{ClientID: "file", RedirectURIs: []string{"https://wiki.example/cb", "http://127.0.0.1/cb", "com.example.app:/cb"}, PostLogoutRedirectURIs: []string{"https://bye.example/"}},
		{ClientID: "tv", ClientURI: "https://tv.example/about"},
	}, st, nil)
	for _, c := range []store.Client{
		{ClientID: "stored", RedirectURIs: []string{"https://stored.example/cb"}},
		{ClientID: "stranger", Registered: true, RedirectURIs: []string{"https://stranger.example/cb"}},
		{ClientID: "adopted", Registered: true, Trusted: &yes, RedirectURIs: []string{"https://adopted.example/cb"}},
	} {
		if err := st.AddClient(t.Context(), c, store.Entry{Actor: "test"}); err != nil {
			t.Fatal(err)
		}
	}
	for uri, want := range map[string]bool{
		"https://new.example/cb": true, "https://stranger.example/other": true, "http://127.0.0.1/cb": true, "http://localhost:99/": true, "com.example.other:/cb": true, "https://localhost:4433/cb": true,
		"https://wiki.example/other": false, "https://WIKI.example.:8443/": false, "https://bye.example/": false, "https://tv.example/": false, "https://stored.example/": false, "https://adopted.example/": false,
		"com.example.app://other": false, "https://sso.localhost:8443/": false, "http://sso.localhost:8443/account": false, "https://sso.localhost:8444/": true,
	} {
		for _, c := range []store.Client{{RedirectURIs: []string{uri}}, {PostLogoutRedirectURIs: []string{uri}}} {
			if err := r.CheckNewcomer(t.Context(), &c, "http://sso.localhost:8443"); (err == nil) != want || (err != nil && !IsClaimed(err)) {
				t.Errorf("%s: %v", uri, err)
			}
		}
	}
	for issuer, uris := range map[string][]string{
		"https://sso.example": {"https://sso.example/x", "https://SSO.example.:1/", "http://sso.example/"}, "http://localhost:80": {"http://127.0.0.1/x", "http://[::1]:80/"}, "https://localhost": {"https://localhost:443/"},
	} {
		for _, uri := range uris {
			if err := r.CheckNewcomer(t.Context(), &store.Client{RedirectURIs: []string{uri}}, issuer); !IsClaimed(err) {
				t.Errorf("%s at %s: %v", uri, issuer, err)
			}
		}
	}
	_ = st.Close()
	if err := r.CheckNewcomer(t.Context(), &store.Client{RedirectURIs: []string{"https://new.example/"}}, "https://sso.example"); err == nil || IsClaimed(err) {
		t.Errorf("without a database: %v", err)
	}
	one := store.Client{Registered: true, TokenEndpointAuthMethod: "none", ClientID: "a", RedirectURIs: []string{"https://a.example/1", "https://A.example:8443/2", "http://127.0.0.1/", "http://localhost:3334/", "com.example.app:/cb"}}
	if problems := Check(&one); len(problems) != 0 {
		t.Errorf("one host and apps: %v", problems)
	}
	one.RedirectURIs = append(slices.Clone(one.RedirectURIs), "https://localhost:8443/")
	if problems := Check(&one); len(problems) != 1 || !strings.Contains(problems[0].Error(), "at one host") {
		t.Errorf("two hosts: %v", problems)
	}
}
