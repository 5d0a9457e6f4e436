package oidc

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"idp/internal/store"
)

// bench runs requests against the handler, middleware included, network not.
func bench(b *testing.B, w *world, want int, next func() *http.Request) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		rec := httptest.NewRecorder()
		w.handler.ServeHTTP(rec, next())
		if rec.Code != want {
			b.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
}

func BenchmarkDiscovery(b *testing.B) {
	bench(b, newWorld(b), 200, func() *http.Request {
		return httptest.NewRequest(http.MethodGet, "/.well-known/openid-configuration", nil)
	})
}

func BenchmarkJWKS(b *testing.B) {
	bench(b, newWorld(b), 200, func() *http.Request { return httptest.NewRequest(http.MethodGet, "/jwks", nil) })
}

func BenchmarkClientCredentials(b *testing.B) {
	bench(b, newWorld(b), 200, func() *http.Request {
		return postAs("machine", "/token", url.Values{"grant_type": {"client_credentials"}})
	})
}

func BenchmarkUserinfo(b *testing.B) {
	w := newWorld(b)
	w.user("alice")
	token := w.loggedIn("alice").tokens("wiki").str("access_token")
	bench(b, w, 200, func() *http.Request {
		r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		return r
	})
}

func BenchmarkIntrospect(b *testing.B) {
	w := newWorld(b)
	w.user("alice")
	token := w.loggedIn("alice").tokens("wiki").str("access_token")
	bench(b, w, 200, func() *http.Request { return postAs("wiki", "/introspect", url.Values{"token": {token}}) })
}

// BenchmarkExchange is a token of a user exchanged for one for a back end, and its
// audit entry.
func BenchmarkExchange(b *testing.B) {
	w := newWorld(b)
	w.user("alice")
	w.client("wiki").Exchange = []store.Exchange{{Audience: testArchive, Scopes: []string{"read"}}}
	token := w.loggedIn("alice").tokens("wiki").str("access_token")
	bench(b, w, 200, func() *http.Request { return postAs("wiki", "/token", exchangeForm(token, testArchive)) })
}

func BenchmarkRefresh(b *testing.B) {
	w := newWorld(b)
	w.user("alice")
	token := w.loggedIn("alice").tokens("other").str("refresh_token")
	b.ReportAllocs()
	for b.Loop() {
		a := w.api("other", "/token", refreshForm(token))
		if token = a.str("refresh_token"); token == "" {
			b.Fatal(a.Body)
		}
	}
}

func BenchmarkSilentLoginAndCode(b *testing.B) {
	w := newWorld(b)
	w.user("alice")
	br := w.loggedIn("alice")
	b.ReportAllocs()
	for b.Loop() {
		br.tokens("other")
	}
}

// BenchmarkSignOut is a sign-out of a session that visited three relying parties,
// which are put into the queue; the login and the codes before it are not counted.
func BenchmarkSignOut(b *testing.B) {
	w := newWorld(b)
	u := w.user("alice")
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		br := w.loggedIn(u.Name)
		for _, id := range []string{"wiki", "other", "lazy"} {
			br.code(id)
		}
		page := br.get("/end_session").Body.String()
		m := formTokenRE.FindStringSubmatch(page)
		b.StartTimer()
		if a := br.post("/end_session", url.Values{"form_token": {m[1]}}); a.Code != http.StatusSeeOther {
			b.Fatal(a.Code)
		}
	}
}
