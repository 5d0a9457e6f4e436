//go:build interop

package interop_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"testing"

	"idp/internal/idptest"
)

// visitor is a person's browser between idp and the sites of others: it keeps
// cookies and follows redirects wherever they lead.
type visitor struct {
	t    *testing.T
	http *http.Client
	stay string // a URL that begins so is not opened: the walk ends before it
}

func newVisitor(t *testing.T, idp *binary) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	client := idp.client(t)
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &visitor{t: t, http: client}
}

// client believes idp's certificate.
func (b *binary) client(t testing.TB) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(b.CA)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	transport := idptest.Transport()
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: pool}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (v *visitor) open(target string) *idptest.Page {
	v.t.Helper()
	return v.walk(http.MethodGet, target, nil, "")
}

func (v *visitor) post(target string, form url.Values) *idptest.Page {
	v.t.Helper()
	return v.walk(http.MethodPost, target, form, "")
}

// submit sends the form of a page that has this field, filled in with more.
func (v *visitor) submit(p *idptest.Page, field string, more url.Values) *idptest.Page {
	v.t.Helper()
	action, form := p.Form(v.t, field)
	for name, values := range more {
		form[name] = values
	}
	to, err := p.Request.URL.Parse(action)
	must(v.t, err)
	return v.post(to.String(), form)
}

// logIn types a name and a password into the login form of a page.
func (v *visitor) logIn(p *idptest.Page, name, password string) *idptest.Page {
	v.t.Helper()
	return v.submit(p, "password", url.Values{"username": {name}, "password": {password}})
}

// consents answers the question of a page, whether a site may get what it asks for,
// by allow or deny.
func (v *visitor) consents(p *idptest.Page, answer string) *idptest.Page {
	v.t.Helper()
	return v.submit(p, "answer", url.Values{"answer": {answer}})
}

// negotiate answers the challenge of a page.
func (v *visitor) negotiate(p *idptest.Page, authorization string) *idptest.Page {
	v.t.Helper()
	return v.walk(http.MethodGet, p.Request.URL.String(), nil, authorization)
}

// authorized sends one request with an Authorization header, as a program does.
func (v *visitor) authorized(method, target, authorization string) *idptest.Page {
	v.t.Helper()
	return v.send(method, target, "", authorization)
}

// basic posts a form as a client with its secret (RFC 6749 §2.3.1).
func (v *visitor) basic(target, client, secret string, form url.Values) *idptest.Page {
	v.t.Helper()
	credentials := base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(client) + ":" + url.QueryEscape(secret)))
	return v.send(http.MethodPost, target, form.Encode(), "Basic "+credentials)
}

func (v *visitor) walk(method, target string, form url.Values, authorization string) *idptest.Page {
	v.t.Helper()
	var walked []string
	for range 20 {
		p := v.send(method, target, form.Encode(), authorization)
		walked = append(walked, target)
		p.Walked = walked
		to, err := p.Response.Location()
		if err != nil {
			return p
		}
		if v.stay != "" && strings.HasPrefix(to.String(), v.stay) {
			p.Location = to
			return p
		}
		method, target, form, authorization = http.MethodGet, to.String(), nil, ""
	}
	v.t.Fatalf("redirected for ever: %s", walked)
	return nil
}

// send sends one request; a POST has the body of a form.
func (v *visitor) send(method, target, body, authorization string) *idptest.Page {
	v.t.Helper()
	req, err := http.NewRequestWithContext(v.t.Context(), method, target, strings.NewReader(body))
	must(v.t, err)
	req.Header.Set("Sec-Fetch-Mode", "navigate")
	req.Header.Set("Sec-Fetch-Dest", "document")
	req.Header.Set("Accept", "text/html,*/*;q=0.8") // without text/html it would be a script's, to mod_auth_openidc
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	resp, err := v.http.Do(req)
	must(v.t, err)
	return &idptest.Page{Response: resp, Body: idptest.ReadAll(v.t, resp)}
}

// reads reads the JSON of a page that must have this status.
func reads[T any](t *testing.T, p *idptest.Page, status int) T {
	t.Helper()
	var out T
	if p.StatusCode != status {
		t.Fatalf("walked %s: status %d, want %d\n%s", p.Walked, p.StatusCode, status, p.Body)
	}
	if err := json.Unmarshal([]byte(p.Body), &out); err != nil {
		t.Fatalf("walked %s: %v\n%s", p.Walked, err, p.Body)
	}
	return out
}
