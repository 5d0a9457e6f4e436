package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// plan is one of the suite's, with what is to be chosen in it, and the client
// that it is for.
type plan struct {
	name, client string
	variant      map[string]string
}

// What is to be chosen in the plans of OpenID Connect.
var (
	static     = map[string]string{"server_metadata": "discovery", "client_registration": "static_client"}
	staticCode = map[string]string{"client_registration": "static_client", "response_type": "code"}
)

var plans = []plan{
	{"oidcc-config-certification-test-plan", "basic", nil},
	{"oidcc-basic-certification-test-plan", "basic", static},
	{"oidcc-formpost-basic-certification-test-plan", "basic", static},
	{"oidcc-rp-initiated-logout-certification-test-plan", "basic", staticCode},
	{"oidcc-backchannel-rp-initiated-logout-certification-test-plan", "back", staticCode},
	{"oidcc-frontchannel-rp-initiated-logout-certification-test-plan", "front", staticCode},
	{"fapi2-security-profile-final-test-plan", "fapi1", map[string]string{"openid": "openid_connect", "client_auth_type": "private_key_jwt", "sender_constrain": "dpop", "fapi_profile": "plain_fapi", "authorization_request_type": "simple"}},
}

// module is one test of a plan; the suite's JSON.
type module struct {
	TestModule string            `json:"testModule"`
	Variant    map[string]string `json:"variant"`
}

// heading is what a page says first.
var heading = regexp.MustCompile(`(?s)<h1>(.*?)</h1>`)

// suite talks to the suite's API.
type suite struct {
	base string
	http *http.Client
}

func (f folder) runPlans() error {
	s, err := f.newSuite()
	if err != nil {
		return err
	}
	bad := 0
	for _, p := range plans {
		if !f.plans.MatchString(p.name) {
			continue
		}
		failed, err := f.runPlan(s, p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		bad += failed
	}
	if bad > 0 {
		return fmt.Errorf("%d modules did not pass", bad)
	}
	return nil
}

func (f folder) newSuite() (*suite, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, err
	}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil || !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("no certificate in %s: %w", f.ca, err)
		}
	}
	return &suite{base: f.suite, http: &http.Client{
		Timeout:   2 * time.Minute,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}},
	}}, nil
}

// runPlan prints a line for each module, and tells how many did not pass.
func (f folder) runPlan(s *suite, p plan) (int, error) {
	f.Client = p.client
	config, err := f.fill(suiteJSON)
	if err != nil {
		return 0, err
	}
	if err := os.WriteFile(f.path(p.client+".json"), config, 0o600); err != nil {
		return 0, err
	}
	var made struct {
		ID      string   `json:"id"`
		Modules []module `json:"modules"`
	}
	if err := s.call(http.MethodPost, "/api/plan", url.Values{"planName": {p.name}, "variant": variant(p.variant)}, config, &made); err != nil {
		return 0, err
	}
	fmt.Printf("%s  %s/plan-detail.html?plan=%s\n", p.name, s.base, made.ID)
	// A person who has allowed a client is not asked again: the refusal comes first.
	slices.SortStableFunc(made.Modules, func(a, b module) int { return refusal(b) - refusal(a) })
	bad := 0
	for _, m := range made.Modules {
		if !f.modules.MatchString(m.TestModule) {
			continue
		}
		result, err := s.runModule(made.ID, m)
		if err != nil {
			result = "INTERRUPTED\n    " + err.Error()
		}
		if !slices.Contains([]string{"PASSED", "SKIPPED", "REVIEW"}, strings.Fields(result)[0]) {
			bad++
		}
		fmt.Printf("  %-80s %s\n", m.TestModule, result)
	}
	return bad, nil
}

func refusal(m module) int {
	if strings.Contains(m.TestModule, "user-rejects") {
		return 1
	}
	return 0
}

// runModule waits for one module to end, and tells its result and, unless it
// passed, what it complained of.
func (s *suite) runModule(planID string, m module) (string, error) {
	var test struct {
		ID string `json:"id"`
	}
	if err := s.call(http.MethodPost, "/api/runner", url.Values{"test": {m.TestModule}, "plan": {planID}, "variant": variant(m.Variant)}, nil, &test); err != nil {
		return "", err
	}
	end := time.Now().Add(5 * time.Minute)
	for time.Now().Before(end) {
		var state struct{ State string }
		if err := s.call(http.MethodGet, "/api/runner/"+test.ID+"/wait-state", url.Values{"states": {"FINISHED,INTERRUPTED"}, "timeoutMs": {"30000"}}, nil, &state); err != nil {
			return "", err
		}
		if state.State != "" {
			return s.result(test.ID)
		}
	}
	return "", errors.New("did not end, see " + s.base + "/log-detail.html?log=" + test.ID)
}

func (s *suite) result(id string) (string, error) {
	var info struct{ Result string }
	if err := s.call(http.MethodGet, "/api/info/"+id, nil, nil, &info); err != nil {
		return "", err
	}
	var log []struct {
		Src, Msg, Result string
		PageSource       string `json:"page_source"` // what a person is to look at
	}
	if err := s.call(http.MethodGet, "/api/log/"+id, nil, nil, &log); err != nil {
		return "", err
	}
	said := info.Result
	for _, entry := range log {
		if slices.Contains([]string{"FAILURE", "WARNING", "SKIPPED", "INTERRUPTED"}, entry.Result) {
			said += fmt.Sprintf("\n    %s: %s", entry.Src, entry.Msg)
		}
		if title := heading.FindStringSubmatch(entry.PageSource); title != nil {
			said += fmt.Sprintf("\n    %s\n    The page says: %s", entry.Msg, strings.TrimSpace(title[1]))
		}
	}
	if info.Result != "PASSED" {
		said += "\n    " + s.base + "/log-detail.html?log=" + id
	}
	return said, nil
}

func variant(v map[string]string) []string {
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil { // strings always marshal
		panic(err)
	}
	return []string{string(text)}
}

func (s *suite) call(method, path string, query url.Values, body []byte, into any) error {
	req, err := http.NewRequestWithContext(context.Background(), method, s.base+path+"?"+query.Encode(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		var b bytes.Buffer
		_, err := b.ReadFrom(resp.Body)
		return errors.Join(fmt.Errorf("%s: %s: %s", path, resp.Status, b.String()), err)
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
