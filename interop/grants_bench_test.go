//go:build bench

package interop_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"idp/examples/demo/stage"
	"idp/internal/oidc/rptest"
)

// grantFlows are what the load driver has no scenario for: every other grant, and
// what clients add to them. One flow is all requests that lead to the tokens.
var grantFlows = []struct {
	name string
	run  func(*worker) error
}{
	{"code", func(w *worker) error { return w.code("bench-public", nil) }},
	{"code-dpop", func(w *worker) error { return w.code("bench-public", w.key) }},
	{"code-fapi2", (*worker).fapi},
	{"device", (*worker).device},
	{"jwt-bearer", func(w *worker) error {
		return w.token(url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {w.assertion()}}, nil)
	}},
	{"client-credentials-private-key-jwt", func(w *worker) error {
		return w.token(url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {rptest.AssertionType}, "client_assertion": {w.assertion()}}, nil)
	}},
}

const (
	benchWorkers  = 16
	benchMeasured = 10 * time.Second
	benchCallback = "http://localhost:18199/cb"
	fapiCallback  = "https://fapi.example.com/cb"
)

// grantClients are added to the load driver's.
const grantClients = `  - client_id: bench-signs
    token_endpoint_auth_method: private_key_jwt
    jwks: %[2]s
    grant_types: [client_credentials, "urn:ietf:params:oauth:grant-type:jwt-bearer"]
    scope: read
  - client_id: bench-fapi
    profile: fapi2
    token_endpoint_auth_method: private_key_jwt
    jwks: %[2]s
    redirect_uris: [https://fapi.example.com/cb]
    id_token_signed_response_alg: ES256
  - client_id: bench-device
    token_endpoint_auth_method: none
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code"]
    id_token_signed_response_alg: %[1]s
`

// BenchmarkGrants measures flows per CPU second of idp, as BenchmarkFlows does,
// for every other grant, with requests made here. Everybody has a session: how
// people log in is measured there.
func BenchmarkGrants(b *testing.B) {
	bin := b.TempDir()
	if err := stage.Build(b.Context(), bin); err != nil {
		b.Fatal(err)
	}
	key := rptest.NewKey(b, "ES256")
	for _, db := range []string{"sqlite", "postgres"} {
		b.Run(db, func(b *testing.B) {
			s := benchStage(b, bin, db, fmt.Sprintf(benchClients+grantClients, "ES256", key.JWKS()))
			workers := make([]*worker, benchWorkers)
			for i := range workers {
				workers[i] = newWorker(b, s, key, fmt.Sprintf("local%03d", i+1))
			}
			for _, flow := range grantFlows {
				b.Run(flow.name, func(b *testing.B) { measure(b, s, workers, flow.run) })
			}
		})
	}
}

// measure runs flows at all workers for a while.
func measure(b *testing.B, s *stage.Stage, workers []*worker, run func(*worker) error) {
	var flows atomic.Int64
	var all sync.WaitGroup
	before, started := cpuSeconds(b, s.IDP.Pid()), time.Now()
	for _, w := range workers {
		all.Go(func() {
			for time.Since(started) < benchMeasured {
				if err := run(w); err != nil {
					b.Errorf("%v\n%s", err, s.IDP.Tail())
					return
				}
				flows.Add(1)
			}
		})
	}
	all.Wait()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(flows.Load())/(cpuSeconds(b, s.IDP.Pid())-before), "flows/CPU-s")
	b.ReportMetric(float64(flows.Load())/time.Since(started).Seconds(), "flows/s")
}

// cpuSeconds is what a process has used, by /proc (USER_HZ is 100 on Linux).
func cpuSeconds(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		b.Fatal(err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+2:]))
	user, err1 := strconv.ParseFloat(fields[11], 64)
	system, err2 := strconv.ParseFloat(fields[12], 64)
	if err := errors.Join(err1, err2); err != nil {
		b.Fatal(err)
	}
	return (user + system) / 100
}

// worker is a relying party and a person's browser in one, with a session.
type worker struct {
	b      *testing.B
	issuer string
	key    *rptest.Key
	http   *http.Client
	nonce  string // the DPoP nonce to use next
}

func newWorker(b *testing.B, s *stage.Stage, key *rptest.Key, user string) *worker {
	b.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	w := &worker{b: b, issuer: s.Issuer, key: key, http: &http.Client{Jar: jar, Transport: &http.Transport{},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	begun, _, err := w.send(http.MethodGet, "/login", nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	page, err := w.page(strings.TrimPrefix(begun.Header.Get("Location"), w.issuer))
	if err != nil {
		b.Fatal(err)
	}
	r, _, err := w.post("/login", url.Values{"form_token": {hidden(page, "form_token")}, "login": {hidden(page, "login")},
		"username": {user}, "password": {stage.BobPassword}}, nil)
	if err != nil || !strings.Contains(r.Header.Get("Location"), "/authorize/resume") {
		b.Fatalf("%s cannot log in: %v %+v", user, err, r)
	}
	return w
}

var hiddenField = regexp.MustCompile(`name="([a-z_]+)" value="([^"]*)"`)

func hidden(page, name string) string {
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		if m[1] == name {
			return html.UnescapeString(m[2])
		}
	}
	return ""
}

func (w *worker) assertion() string {
	return w.key.Assertion(w.b, "bench-signs", w.issuer, time.Now(), nil)
}

// code runs an authorization with the session, and redeems the code; with a key
// the tokens are bound to it.
func (w *worker) code(client string, key *rptest.Key) error {
	q := authorization(benchCallback)
	q.Set("client_id", client)
	form, err := w.redeemable(q, benchCallback)
	if err != nil {
		return err
	}
	form.Set("client_id", client)
	return w.token(form, key)
}

// fapi: FAPI 2.0 Security Profile: pushed request, assertion, DPoP.
func (w *worker) fapi() error {
	signed := func() url.Values {
		return url.Values{"client_assertion_type": {rptest.AssertionType}, "client_assertion": {w.key.Assertion(w.b, "bench-fapi", w.issuer, time.Now(), nil)}}
	}
	push := authorization(fapiCallback)
	for name, v := range signed() {
		push[name] = v
	}
	var pushed struct {
		RequestURI string `json:"request_uri"`
	}
	if err := w.json("/par", push, nil, &pushed); err != nil {
		return err
	}
	form, err := w.redeemable(url.Values{"client_id": {"bench-fapi"}, "request_uri": {pushed.RequestURI}}, fapiCallback)
	if err != nil {
		return err
	}
	for name, v := range signed() {
		form[name] = v
	}
	return w.token(form, w.key)
}

// device: the device asks, the person allows, the device gets its tokens.
func (w *worker) device() error {
	var asked struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	if err := w.json("/device_authorization", url.Values{"client_id": {"bench-device"}, "scope": {"openid"}}, nil, &asked); err != nil {
		return err
	}
	field, err := w.page("/device")
	if err != nil {
		return err
	}
	page, err := w.page("/device?" + url.Values{"user_code": {asked.UserCode}, "form_token": {hidden(field, "form_token")}}.Encode())
	if err != nil {
		return err
	}
	answer := url.Values{"form_token": {hidden(page, "form_token")}, "user_code": {hidden(page, "user_code")}, "answer": {"allow"}}
	if r, body, err := w.post("/device", answer, nil); err != nil || r.StatusCode != http.StatusSeeOther {
		return fmt.Errorf("device: %w %+v %s", err, r, body)
	}
	return w.token(url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {asked.DeviceCode}, "client_id": {"bench-device"}}, nil)
}

// verifier and its challenge are those of RFC 7636 appendix B.
const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

func authorization(callback string) url.Values {
	return url.Values{"response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {challenge}, "code_challenge_method": {"S256"}}
}

// redeemable is the token request for the code that an authorization gives.
func (w *worker) redeemable(q url.Values, callback string) (url.Values, error) {
	r, body, err := w.send(http.MethodGet, "/authorize?"+q.Encode(), nil, nil)
	if err != nil {
		return nil, err
	}
	to, err := r.Location()
	if err != nil || to.Query().Get("code") == "" {
		return nil, fmt.Errorf("no code: %d %s %s", r.StatusCode, r.Header.Get("Location"), body)
	}
	return url.Values{"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier}}, nil
}

func (w *worker) token(form url.Values, key *rptest.Key) error {
	var out struct {
		AccessToken string `json:"access_token"`
	}
	if err := w.json("/token", form, key, &out); err != nil {
		return err
	}
	if out.AccessToken == "" {
		return errors.New("no access token")
	}
	return nil
}

// json posts and reads the answer; a nonce that is asked for is used at once.
func (w *worker) json(path string, form url.Values, key *rptest.Key, into any) error {
	r, body, err := w.post(path, form, key)
	if err == nil && strings.Contains(body, "use_dpop_nonce") {
		r, body, err = w.post(path, form, key)
	}
	if err != nil {
		return err
	}
	if r.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("%s: %d %s", path, r.StatusCode, body)
	}
	return json.Unmarshal([]byte(body), into)
}

func (w *worker) page(path string) (string, error) {
	r, body, err := w.send(http.MethodGet, path, nil, nil)
	if err == nil && r.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %d %s", path, r.StatusCode, body)
	}
	return body, err
}

func (w *worker) post(path string, form url.Values, key *rptest.Key) (*http.Response, string, error) {
	return w.send(http.MethodPost, path, form, key)
}

func (w *worker) send(method, path string, form url.Values, key *rptest.Key) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(w.b.Context(), method, w.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if key != nil {
		req.Header.Set("DPoP", key.Proof(w.b, method, w.issuer+path, w.nonce, time.Now(), nil))
	}
	r, err := w.http.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer r.Body.Close()
	if nonce := r.Header.Get("DPoP-Nonce"); nonce != "" {
		w.nonce = nonce
	}
	body, err := io.ReadAll(r.Body)
	return r, string(body), err
}
