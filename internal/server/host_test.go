package server_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"idp/internal/idptest"
)

// TestHoleHostHeader: where we are is what the configuration says. Links, redirects,
// cookies and the documents that relying parties read hold nothing of what a request
// says about it, not even one that a trusted proxy sends.
func TestHoleHostHeader(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{YAML: "trusted_proxies: [127.0.0.0/8, \"::1/128\"]\n"})
	const evil = "evil.example"
	auth := idptest.Wiki()
	refused := idptest.Wiki()
	refused.Query.Set("prompt", "none")
	login := s.Browser(t).Once(http.MethodGet, auth.URL(), nil, nil).Header.Get("Location")
	for _, target := range []string{
		"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/jwks", auth.URL(), refused.URL(), "/authorize?" + url.Values{"client_id": {"nobody"}}.Encode(),
		login, "/login", "/login/negotiate", "/", "/account", "/end_session", "/userinfo", "/token", "/nowhere",
	} {
		for name, spoof := range map[string]func(*http.Request){
			"Host":             func(r *http.Request) { r.Host = evil },
			"Host with a port": func(r *http.Request) { r.Host = evil + ":8080" },
			"X-Forwarded-Host": func(r *http.Request) { r.Header.Set("X-Forwarded-Host", evil) },
			"Forwarded":        func(r *http.Request) { r.Header.Set("Forwarded", "for=192.0.2.1;host="+evil+";proto=https") },
			"X-Original-URL":   func(r *http.Request) { r.Header.Set("X-Original-URL", "https://"+evil+"/") },
			"X-Rewrite-URL":    func(r *http.Request) { r.Header.Set("X-Rewrite-URL", "//"+evil+"/") },
		} {
			at, err := url.Parse(s.Issuer)
			if err != nil {
				t.Fatal(err)
			}
			if at, err = at.Parse(target); err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, at.String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			spoof(r)
			resp, err := idptest.Transport().RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			body := idptest.ReadAll(t, resp)
			for header, values := range resp.Header {
				body += header + strings.Join(values, " ")
			}
			if target == "/.well-known/openid-configuration" && (resp.StatusCode != http.StatusOK || !strings.Contains(body, `"issuer":"`+s.Issuer+`"`)) {
				t.Errorf("%s by %s: %d", target, name, resp.StatusCode)
			}
			if strings.Contains(body, evil) {
				t.Errorf("%s by %s: the answer (%d) names it", target, name, resp.StatusCode)
			}
		}
	}
}
