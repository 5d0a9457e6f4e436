package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func lines(m *Metrics, prefix string) (found []string) {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for line := range strings.Lines(w.Body.String()) {
		if strings.HasPrefix(line, prefix) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

func TestOnlyCodesBecomeReasons(t *testing.T) {
	m := New(Config{})
	for _, reason := range []string{"user bob is unknown", "bob", "A\nB", strings.Repeat("A", 41), "É"} {
		m.Login("form", reason)
	}
	m.Login("form", "KDC_500")
	got := strings.Join(lines(m, "idp_logins_total"), "\n")
	if want := `idp_logins_total{method="form",reason="KDC_500",result="refused"} 1
idp_logins_total{method="form",reason="OTHER",result="refused"} 5`; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
}

func TestRequestsByRouteAndClass(t *testing.T) {
	m := New(Config{})
	m.Request("GET /authorize", "GET", 303, 2*time.Millisecond)
	m.Request("POST /authorize", "POST", 500, time.Second)
	m.Request("/token", "PROPFIND", 200, time.Microsecond)
	m.Request("/", "GET", 499, 0)
	got := strings.Join(lines(m, "idp_http_requests_total"), "\n")
	if want := `idp_http_requests_total{code="2xx",method="other",route="/token"} 1
idp_http_requests_total{code="3xx",method="GET",route="/authorize"} 1
idp_http_requests_total{code="4xx",method="GET",route="/"} 1
idp_http_requests_total{code="5xx",method="POST",route="/authorize"} 1`; got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	want := `idp_http_request_duration_seconds_bucket{route="/authorize",le="0.005"} 1`
	if got := strings.Join(lines(m, "idp_http_request_duration_seconds_bucket"), "\n"); !strings.Contains(got, want) {
		t.Errorf("no %s in\n%s", want, got)
	}
}

func TestKeytabsAreAskedAtEveryScrape(t *testing.T) {
	state := Keytabs{}
	m := New(Config{Keytabs: func() Keytabs { return state }})
	if got := lines(m, "idp_tickets_ready"); len(got) != 1 || got[0] != "idp_tickets_ready 0" || lines(m, "idp_keytab_keys") != nil {
		t.Errorf("without keys: %q %q", got, lines(m, "idp_keytab_keys"))
	}
	state = Keytabs{Ready: true, Keys: map[KeyLabels]int{{"arcfour-hmac", false}: 3}}
	if got := lines(m, "idp_keytab_keys"); len(got) != 1 || got[0] != `idp_keytab_keys{allowed="false",enctype="arcfour-hmac"} 3` {
		t.Errorf("with keys: %q", got)
	}
}

// What one request costs.
func BenchmarkRequest(b *testing.B) {
	m := New(Config{})
	b.ReportAllocs()
	for b.Loop() {
		m.Request("GET /authorize", "GET", 303, 2*time.Millisecond)
	}
}
