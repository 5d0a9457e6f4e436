package upstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/url"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"idp/internal/reason"
	"idp/internal/store"
)

// TestHowWeAuthenticateThere: by the secret as the upstream takes it, or by a key.
func TestHowWeAuthenticateThere(t *testing.T) {
	l := newLiar(t)
	_, err := l.logIn(l.one(), Wanted{})
	must(t, err)
	if want := "Basic " + base64.StdEncoding.EncodeToString([]byte("us:secret+of+16+bytes")); l.auth != want || l.form.Has("client_secret") {
		t.Errorf("by default %q, %v", l.auth, l.form) // RFC 6749 §2.3.1: form-encoded first
	}
	if l.form.Get("code_verifier") == "" || l.form.Get("redirect_uri") != "https://sso.example.com/upstream/liar/callback" {
		t.Errorf("%v", l.form)
	}
	l.discovery = func(m map[string]any) { m["token_endpoint_auth_methods_supported"] = []string{"client_secret_post"} }
	_, err = l.logIn(l.one(), Wanted{})
	must(t, err)
	if l.auth != "" || l.form.Get("client_secret") != "secret of 16 bytes" {
		t.Errorf("by post %q, %v", l.auth, l.form)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	_, err = l.logIn(l.one(func(e *Entry) {
		e.ClientSecretFile, e.ClientKeyFile, e.ClientKeyID, e.Secret = "", "x", "k1", ""
		e.Key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}), Wanted{})
	must(t, err)
	assertion, err := jwt.ParseSigned(l.form.Get("client_assertion"), []jose.SignatureAlgorithm{jose.ES256})
	must(t, err)
	var c jwt.Claims
	must(t, assertion.Claims(key.Public(), &c))
	if l.auth != "" || assertion.Headers[0].KeyID != "k1" || c.Issuer != "us" || c.Subject != "us" || !c.Audience.Contains(l.srv.URL+"/token") || c.ID == "" || c.Expiry.Time().After(time.Now().Add(2*time.Minute)) {
		t.Errorf("by key %q, %+v", l.auth, c)
	}
}

// TestHoleUpstreamLogoutTokens: OIDC Back-Channel Logout §2.6.
func TestHoleUpstreamLogoutTokens(t *testing.T) {
	event := map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}
	now := time.Now().Unix()
	for name, c := range map[string]struct {
		lie func(map[string]any)
		ok  bool
	}{
		"the truth":       {func(map[string]any) {}, true},
		"sid alone":       {func(c map[string]any) { delete(c, "sub") }, true},
		"neither":         {func(c map[string]any) { delete(c, "sub"); delete(c, "sid") }, false},
		"an ID token":     {func(c map[string]any) { delete(c, "events"); c["nonce"] = "n" }, false},
		"a nonce":         {func(c map[string]any) { c["nonce"] = "n" }, false},
		"another event":   {func(c map[string]any) { c["events"] = map[string]any{"x": map[string]any{}} }, false},
		"no jti":          {func(c map[string]any) { delete(c, "jti") }, false},
		"old":             {func(c map[string]any) { c["iat"] = now - 3600 }, false},
		"no iat":          {func(c map[string]any) { delete(c, "iat") }, false},
		"expired":         {func(c map[string]any) { c["exp"] = now - 10 }, false},
		"somebody else's": {func(c map[string]any) { c["aud"] = "them" }, false},
		"another issuer":  {func(c map[string]any) { c["iss"] = "https://evil.example" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLiar(t)
			l.claims = func(claims map[string]any) {
				for _, left := range []string{"nonce", "auth_time", "at_hash"} {
					delete(claims, left)
				}
				claims["jti"], claims["events"] = "j1", event
				c.lie(claims)
			}
			out, err := l.one().LogoutToken(t.Context(), l.idToken())
			if (err == nil) != c.ok || (err != nil && reason.Of(err) != reason.UpstreamInvalid) {
				t.Fatalf("%+v, %v", out, err)
			}
			if err == nil && (out.From.SID != "s1" || out.From.Issuer != l.srv.URL) {
				t.Errorf("%+v", out)
			}
		})
	}
	l := newLiar(t)
	l.sign = unsigned
	if _, err := l.one().LogoutToken(t.Context(), l.idToken()); reason.Of(err) != reason.UpstreamInvalid {
		t.Errorf("without a signature: %v", err)
	}
}

func TestLogoutURL(t *testing.T) {
	l := newLiar(t)
	all, err := New(Options{Issuer: "https://sso.example.com", Entries: []Entry{{Config: Config{ID: "liar", Issuer: l.srv.URL, ClientID: "us", AuthMethod: public, AllowPrivate: true, Logout: true}}}})
	must(t, err)
	s := store.UpstreamSession{ID: "liar", Issuer: l.srv.URL, IDToken: "token"}
	u, err := url.Parse(all.LogoutURL(t.Context(), s, "state"))
	must(t, err)
	want := url.Values{"x": {"1"}, "id_token_hint": {"token"}, "client_id": {"us"}, "state": {"state"}, "post_logout_redirect_uri": {"https://sso.example.com/end_session/done"}}
	if u.Path != "/end" || u.Query().Encode() != want.Encode() {
		t.Errorf("%s", u)
	}
	l.discovery = func(m map[string]any) { m["end_session_endpoint"] = "javascript:alert(1)" }
	all.list[0].about.last = nil
	if to := all.LogoutURL(t.Context(), s, "state"); to != "" {
		t.Errorf("a script: %s", to)
	}
	for _, other := range []store.UpstreamSession{{}, {ID: "liar", Issuer: "https://other.example", IDToken: "token"}, {ID: "liar", Issuer: l.srv.URL}, {ID: "gone", Issuer: l.srv.URL, IDToken: "token"}} {
		if to := all.LogoutURL(t.Context(), other, "state"); to != "" {
			t.Errorf("%+v: %s", other, to)
		}
	}
}

func TestProblems(t *testing.T) {
	good := Config{ID: "partner", Issuer: "https://login.partner.example", ClientID: "us", ClientSecretFile: "s"}
	for name, c := range map[string]struct {
		change func(*Config)
		field  string
	}{
		"nothing":             {func(*Config) {}, ""},
		"id with a colon":     {func(c *Config) { c.ID = "a:b" }, "id"},
		"id of another case":  {func(c *Config) { c.ID = "Partner" }, "id"},
		"no id":               {func(c *Config) { c.ID = "" }, "id"},
		"http":                {func(c *Config) { c.Issuer = "http://login.partner.example"; c.AllowPrivate = true }, "issuer"},
		"http here":           {func(c *Config) { c.Issuer = "http://127.0.0.1:1" }, "issuer"},
		"http here, allowed":  {func(c *Config) { c.Issuer = "http://127.0.0.1:1"; c.AllowPrivate = true }, ""},
		"a query":             {func(c *Config) { c.Issuer += "/?a" }, "issuer"},
		"ourselves":           {func(c *Config) { c.Issuer = "https://sso.example.com" }, "issuer"},
		"no client_id":        {func(c *Config) { c.ClientID = "" }, "client_id"},
		"no secret":           {func(c *Config) { c.ClientSecretFile = "" }, "client_secret_file"},
		"secret and key":      {func(c *Config) { c.ClientKeyFile = "k" }, "client_secret_file"},
		"none with a secret":  {func(c *Config) { c.AuthMethod = "none" }, "token_endpoint_auth_method"},
		"none":                {func(c *Config) { c.AuthMethod, c.ClientSecretFile = "none", "" }, ""},
		"a key by its method": {func(c *Config) { c.AuthMethod = "private_key_jwt" }, "client_key_file"},
		"an unknown method":   {func(c *Config) { c.AuthMethod = "client_secret_jwt" }, "token_endpoint_auth_method"},
		"create what":         {func(c *Config) { c.Create = "always" }, "create"},
		"no openid":           {func(c *Config) { c.Scopes = []string{"profile"} }, "scopes"},
		"an address":          {func(c *Config) { c.AllowDomains = []string{"a@partner.example"} }, "allow_domains"},
		"any domain":          {func(c *Config) { c.AllowDomains = []string{"*"} }, ""},
		"a group to nowhere":  {func(c *Config) { c.Groups = map[string]string{"a": ""} }, "groups"},
	} {
		t.Run(name, func(t *testing.T) {
			one := good
			c.change(&one)
			found := Problems([]Config{one}, "https://sso.example.com")
			if (c.field == "") != (len(found) == 0) || (len(found) > 0 && found[0].Field != c.field) {
				t.Errorf("%+v", found)
			}
		})
	}
	if found := Problems([]Config{good, good}, ""); len(found) != 2 || found[0].Field != "id" || found[1].Field != "issuer" {
		t.Errorf("twice: %+v", found)
	}
}
