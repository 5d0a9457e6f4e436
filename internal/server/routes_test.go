package server_test

import (
	"net/http"
	"strings"
	"testing"

	"idp/internal/idptest"
)

func TestKnownPathWithAnotherMethodIs405(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{})
	for _, c := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"POST", "/account", 405, "GET, HEAD"},
		{"POST", "/", 405, "GET, HEAD"},
		{"PUT", "/login", 405, "GET, HEAD, POST"},
		{"OPTIONS", "/jwks", 405, "GET, HEAD"},
		{"DELETE", "/static/idp.css", 405, "GET, HEAD"},
		{"GET", "/par", 405, "POST"},
		{"GET", "/introspect", 405, "POST"},
		{"GET", "/token", 405, "POST"},
		{"GET", "/nothing", 404, ""},
		{"POST", "/nothing", 404, ""},
		{"GET", "/login/other", 404, ""},
	} {
		p := s.Browser(t).Once(c.method, c.path, nil, nil)
		if p.StatusCode != c.status || p.Header.Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, Allow %q, want %d, %q", c.method, c.path, p.StatusCode, p.Header.Get("Allow"), c.status, c.allow)
		}
	}
	p := s.Browser(t).Once("GET", "/introspect", nil, nil)
	if p.Header.Get("Content-Type") != "application/json" || !strings.Contains(p.Body, `"error":"invalid_request"`) {
		t.Errorf("GET /introspect: %s %s, want the protocol's JSON", p.Header.Get("Content-Type"), p.Body)
	}
	p = s.Browser(t).Once("POST", "/jwks", nil, http.Header{"Accept": {"application/json"}})
	if p.StatusCode != 405 || !strings.Contains(p.Body, "METHOD_NOT_ALLOWED") {
		t.Errorf("POST /jwks by a program: %d %s", p.StatusCode, p.Body)
	}
}
