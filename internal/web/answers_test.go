package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAClientThatLeftIsNoErrorOfOurs(t *testing.T) {
	var log strings.Builder
	ctx, leave := context.WithCancel(context.Background())
	h := chainFor(t, &log, func(_ http.ResponseWriter, r *http.Request) error { leave(); return r.Context().Err() })
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil))
	if w.Body.Len() != 0 || !strings.Contains(log.String(), "level=INFO") || !strings.Contains(log.String(), "status=499") {
		t.Errorf("answered %q, logged %s", w.Body, log.String())
	}
}

func TestAMissedDeadlineIsExplained(t *testing.T) {
	var log strings.Builder
	h := chainFor(t, &log, func(http.ResponseWriter, *http.Request) error {
		return fmt.Errorf("store: %w", context.DeadlineExceeded)
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "store") {
		t.Errorf("%d %v\n%s", w.Code, w.Header(), w.Body)
	}
}

func TestProgramsGetErrorsAsJSON(t *testing.T) {
	for name, c := range map[string]struct {
		header http.Header
		json   bool
	}{
		"browser": {http.Header{"Accept": {"text/html,application/xhtml+xml,application/json;q=0.1"}, "Sec-Fetch-Dest": {"document"}}, false},
		"curl":    {http.Header{"Accept": {"*/*"}}, false},
		"nothing": {nil, false},
		"program": {http.Header{"Accept": {"application/json"}}, true},
		"fetch":   {http.Header{"Accept": {"*/*"}, "Sec-Fetch-Dest": {"empty"}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			h := chainFor(t, &log, func(http.ResponseWriter, *http.Request) error { return errors.New("cause") })
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header = c.header
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if json := strings.HasPrefix(w.Header().Get("Content-Type"), "application/json"); json != c.json || strings.Contains(w.Body.String(), "cause") {
				t.Errorf("%s\n%s", w.Header().Get("Content-Type"), w.Body)
			}
		})
	}
}

func TestAPanicInTheMiddleCutsTheConnection(t *testing.T) {
	var log strings.Builder
	srv := httptest.NewServer(chainFor(t, &log, func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic("cause")
	}))
	resp, err := http.Get(srv.URL)
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	srv.Close()
	if err == nil {
		t.Error("half an answer passed for the whole")
	}
	if n := strings.Count(log.String(), "\n"); n != 1 || !strings.Contains(log.String(), "reason=PANIC") || !strings.Contains(log.String(), "goroutine") {
		t.Errorf("%d lines, want one with the stack:\n%s", n, log.String())
	}
}

func TestFormsAreBoundedAndPlain(t *testing.T) {
	for name, c := range map[string]struct {
		body   string
		status int
	}{
		"good":        {"a=1&b=2", 200},
		"field twice": {"a=1&a=2", 400},
		"malformed":   {"a=%zz", 400},
		"too large":   {"a=" + strings.Repeat("x", maxBody), 413},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			h := chainFor(t, &log, func(w http.ResponseWriter, r *http.Request) error { return ParseForm(w, r) })
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(c.body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.status {
				t.Errorf("%d, want %d", w.Code, c.status)
			}
		})
	}
}

func TestEveryAnswerCarriesTheSecurityHeaders(t *testing.T) {
	p := newPages(t)
	for _, https := range []bool{false, true} {
		h := Chain(p.Handle(p.ServeNotFound), ChainConfig{Log: slog.New(slog.DiscardHandler), Pages: p, Issuer: map[bool]string{false: "http://localhost", true: "https://sso.example.com"}[https]})
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/nowhere", nil))
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin",
			"Permissions-Policy": "camera=()", "Content-Security-Policy": "default-src 'none'; style-src 'self'",
		} {
			if got := w.Header().Get(name); !strings.HasPrefix(got, want) {
				t.Errorf("%s: %q, want %q", name, got, want)
			}
		}
		hsts := w.Header().Get("Strict-Transport-Security")
		if (hsts != "") != https || strings.Contains(hsts, "includeSubDomains") {
			t.Errorf("https %v: Strict-Transport-Security %q", https, hsts)
		}
	}
}

func TestAFormOfAnotherSiteGetsAPage(t *testing.T) {
	p := newPages(t)
	form := http.NewCrossOriginProtection()
	form.SetDenyHandler(p.Handle(p.ServeCrossOrigin))
	h := form.Handler(p.Handle(func(http.ResponseWriter, *http.Request) error { t.Error("the form arrived"); return nil }))
	r := httptest.NewRequest(http.MethodPost, "https://idp.example.com/login", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "another site") {
		t.Errorf("%d\n%s", w.Code, w.Body)
	}
}
