package server_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

// scrape reads /metrics as Prometheus does.
func scrape(t *testing.T, s *idptest.Server) string {
	t.Helper()
	w := httptest.NewRecorder()
	s.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusOK {
		t.Fatalf("/metrics: %d %s", w.Code, w.Body)
	}
	return w.Body.String()
}

const metered = "metrics_listen: 127.0.0.1:0\n"

// Every kind of credential, good and bad, through the front door: counted once,
// under the reason that its log line has.
func TestLoginsAreCountedUnderTheirReasons(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, metered)
	program := func(authorization string) { s.Program(t).GetWith("/login/negotiate", authorization) }
	ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
	good := idptest.Negotiate(t, ticket)
	program(good)
	program(good) // a replay
	program("Negotiate " + base64.StdEncoding.EncodeToString([]byte("NTLMSSP\x00\x01\x00\x00\x00\x07\x82\x08\xa2")))
	program(idptest.Basic("alice", "wrong-password"))
	program(idptest.Basic("alice", krbtest.AlicePassword))
	program("Digest username=alice")
	b := s.Browser(t)
	b.LogIn(b.Get("/login"), "bob", "wrong password")
	b.LogIn(b.Get("/login"), "bob", idptest.BobPassword)
	b.Get(idptest.Wiki().URL()) // a session that is there is no login
	s.Program(t).Once("GET", "/login/negotiate", nil, nil)

	got := scrape(t, s)
	for _, want := range []string{
		`idp_logins_total{method="ticket",reason="",result="ok"} 1`,
		`idp_logins_total{method="ticket",reason="REPLAY",result="refused"} 1`,
		`idp_logins_total{method="ticket",reason="NTLM_TOKEN",result="refused"} 1`,
		`idp_logins_total{method="basic",reason="BAD_PASSWORD",result="refused"} 1`,
		`idp_logins_total{method="basic",reason="",result="ok"} 1`,
		`idp_logins_total{method="unknown",reason="MALFORMED_CREDENTIAL",result="refused"} 1`,
		`idp_logins_total{method="form",reason="BAD_PASSWORD",result="refused"} 1`,
		`idp_logins_total{method="form",reason="",result="ok"} 1`,
		`idp_http_requests_total{code="4xx",method="GET",route="/login/negotiate"} 5`, // four refused, one challenged
		`idp_http_request_duration_seconds_count{route="/login/negotiate"} 7`,
		`idp_keytab_keys{allowed="true",enctype="aes256-cts-hmac-sha1-96"} 2`,
		`idp_tickets_ready 1`,
		`idp_build_info{`, `go_goroutines `, `process_cpu_seconds_total `,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing: %s", want)
		}
	}
	if n := strings.Count(got, "\nidp_logins_total{"); n != 8 {
		t.Errorf("%d series of logins, want 8", n)
	}
	for _, secret := range []string{"alice", "bob", "EXAMPLE.TEST", "wiki"} {
		if strings.Contains(got, secret) {
			t.Errorf("the metrics name %q", secret)
		}
	}
	if t.Failed() {
		for line := range strings.Lines(got) {
			if strings.HasPrefix(line, "idp_") {
				t.Log(strings.TrimSpace(line))
			}
		}
	}
}

// What a stranger writes makes no series of its own.
func TestStrangersMakeNoSeries(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{YAML: metered})
	ask := func(method, path string) {
		req, err := http.NewRequest(method, "http://"+strings.TrimPrefix(s.Issuer, "http://")+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := idptest.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	ask("GET", "/nowhere")
	ask("BREW", "/nowhere")
	before := strings.Count(scrape(t, s), "\n")
	for _, x := range []string{"a", "b", "c"} {
		ask("GET", "/"+x+"/"+x)
		ask("BREW"+strings.ToUpper(x), "/"+x)
	}
	if after := strings.Count(scrape(t, s), "\n"); after != before {
		t.Errorf("%d lines became %d", before, after)
	}
}

// /metrics is nothing for the public, and without metrics_listen for nobody.
func TestMetricsAreOnlyOnTheirOwnListener(t *testing.T) {
	t.Parallel()
	s := idptest.Start(t, idptest.Options{YAML: metered})
	if p := s.Program(t).Once("GET", "/metrics", nil, nil); p.StatusCode != http.StatusNotFound {
		t.Errorf("/metrics on the public address: %d, want 404", p.StatusCode)
	}
	w := httptest.NewRecorder()
	s.MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/authorize", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("/authorize on the metrics' address: %d, want 404", w.Code)
	}
	w = httptest.NewRecorder()
	idptest.Start(t, idptest.Options{}).MetricsHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("/metrics without metrics_listen: %d, want 404", w.Code)
	}
}
