package forwardauth_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"idp/internal/idptest"
)

// BenchmarkAsk is the decision about a live session, middleware included, network not.
func BenchmarkAsk(b *testing.B) {
	s := idptest.Start(b, idptest.Options{YAML: sites})
	p := protect(b, s, "reports.localhost")
	header := asNginx(p, "/page?x=1", "Cookie", siteCookie(b, bobAt(b, s, p), p), "Accept", "text/html", "X-Forwarded-For", "192.0.2.1")
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodGet, "/forward-auth", nil)
		r.RemoteAddr, r.Header = proxyAddress+":1234", header.Clone()
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		if rec.Code != http.StatusOK {
			b.Fatalf("%d %s", rec.Code, rec.Body)
		}
	}
}
