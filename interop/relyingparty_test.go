//go:build interop

package interop_test

import (
	"cmp"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
	"idp/internal/oidc/rptest"
	"idp/internal/secret"
)

// registration is a relying party as idp knows it, and as its software is
// configured. Names are those of RFC 7591.
type registration struct {
	ID     string
	Method string // token_endpoint_auth_method
	Alg    string // id_token_signed_response_alg
	Grants string // grant_types; default authorization_code, refresh_token
	More   string // further keys of its entry in idp.yaml

	Key  *rptest.Key    // for private_key_jwt
	TLS  bool           // the site is at https://localhost
	Meta map[string]any // further keys, for idp and for the site
	Site map[string]any // what the site alone is told

	Login    string // path of the site that begins a login; default /login
	Callback string // path of the redirect URI; default /callback
	Secret   string // what the site believes its secret to be; default the right one
	Listen   string // host:port of the site
	URL      string // of the site
}

func (r *registration) redirectURI() string { return r.URL + r.Callback }

// register gives a relying party an address and a secret.
func register(t *testing.T, r registration) *registration {
	t.Helper()
	r.Listen, _ = freeAddress(t)
	r.URL = "http://" + r.Listen
	if r.TLS {
		_, port, _ := net.SplitHostPort(r.Listen)
		r.URL = "https://localhost:" + port
	}
	r.Login, r.Callback = cmp.Or(r.Login, "/login"), cmp.Or(r.Callback, "/callback")
	if r.Secret == "" && r.secret() {
		r.Secret = secret.ID() + "+/%3A: &=~*" // what Basic must encode (RFC 6749 §2.3.1)
	}
	return &r
}

// secret reports whether it has one.
func (r *registration) secret() bool { return r.Method != "none" && r.Key == nil }

// secretFile is where idp finds the secret.
func (r *registration) secretFile(dir string) string {
	return filepath.Join(dir, url.PathEscape(r.ID)+".secret")
}

// entry is the relying party in idp's list of clients.
func (r *registration) entry(dir string) string {
	keys := fmt.Sprintf("client_id: %q, token_endpoint_auth_method: %s, id_token_signed_response_alg: %s, redirect_uris: [%q], post_logout_redirect_uris: [%q], grant_types: [%s]",
		r.ID, r.Method, r.Alg, r.redirectURI(), r.URL+"/signed-out", cmp.Or(r.Grants, "authorization_code, refresh_token"))
	if r.secret() {
		keys += ", client_secret_file: " + r.secretFile(dir)
	}
	for name, value := range r.Meta {
		text, _ := json.Marshal(value) // JSON is YAML
		keys += fmt.Sprintf(", %s: %s", name, text)
	}
	if r.More != "" {
		keys += ", " + r.More
	}
	return "  - {" + keys + "}\n"
}

// openFor is an idp with TLS at https://localhost that has the local user bob, the
// people of the stage's realm, and these relying parties; top is more of its file.
func openFor(t *testing.T, top string, parties ...*registration) *binary {
	t.Helper()
	dir := t.TempDir()
	bob := filepath.Join(dir, "bob.txt")
	must(t, os.WriteFile(bob, []byte(stage.BobPassword+"\n"), 0o600))
	certificate, key := pair(t, elliptic.P256())
	top += fmt.Sprintf("tls: {certificate: %s, key: %s}\nusers:\n  - {name: bob, password_file: %s, email: bob@example.com, groups: [partners]}\nclients:\n", certificate, key, bob)
	for _, r := range parties {
		must(t, os.WriteFile(r.secretFile(dir), []byte(r.Secret+"\n"), 0o600))
		top += r.entry(dir)
	}
	addr, port := freeAddress(t)
	b := &binary{Issuer: "https://localhost:" + port, CA: certificate, key: key}
	b.start(t, addr, "", top)
	return b
}

// told is what a site tells of its visitor, or of what went wrong.
type told struct {
	IDToken  string `json:"id_token"`
	Access   string `json:"access_token"`
	Type     string `json:"token_type"`
	Refresh  string `json:"refresh_token"`
	Callback string `json:"callback"` // the method by which the answer came
	Userinfo struct {
		Sub    string   `json:"sub"`
		Name   string   `json:"preferred_username"`
		Email  string   `json:"email"`
		Groups []string `json:"groups"`
		Iss    string   `json:"iss"` // where it was signed
	} `json:"userinfo"`

	Error       string `json:"error"`
	Description string `json:"error_description"`
	Message     string `json:"message"`
	Code        string `json:"code"`
}

// idToken is what this test looks at in an ID token that the site has verified.
type idToken struct {
	Alg   string   `json:"alg"`
	Iss   string   `json:"iss"`
	Sub   string   `json:"sub"`
	Aud   string   `json:"aud"`
	AMR   []string `json:"amr"`
	Nonce string   `json:"nonce"`

	Email  string   `json:"email"` // and groups: where the site asks for them there
	Groups []string `json:"groups"`
	Sid    string   `json:"sid"`
}

func (w told) claims(t *testing.T) (out idToken) {
	t.Helper()
	out = part[idToken](t, w.IDToken, 1)
	out.Alg = part[idToken](t, w.IDToken, 0).Alg
	return out
}

// part reads a part of a JWT: 0 is its header, 1 its claims.
func part[T any](t *testing.T, token string, n int) (out T) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("no JWT: %q", token)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[n])
	must(t, err)
	must(t, json.Unmarshal(text, &out))
	return out
}

// isBob checks what a site has learned of bob, who typed his password.
func (w told) isBob(t *testing.T, idp *binary, r *registration) {
	t.Helper()
	id := w.claims(t)
	if id.Alg != r.Alg || id.Iss != idp.Issuer || id.Aud != r.ID || !slices.Equal(id.AMR, []string{"pwd"}) {
		t.Errorf("ID token %+v, want one signed with %s for %s", id, r.Alg, r.ID)
	}
	if u := w.Userinfo; u.Sub == "" || u.Sub != id.Sub || u.Name != "bob" || u.Email != "bob@example.com" || !slices.Equal(u.Groups, []string{"partners"}) {
		t.Errorf("userinfo %+v, ID token %+v: want bob", u, id)
	}
}

// scopes are what every site asks for.
var scopes = []string{"openid", "profile", "email", "groups"}

// program starts the software of a relying party, which answers the paths of
// webSite.
type program func(t *testing.T, idp *binary, r *registration)

// everyMethod is a visit, and a login by ticket, with each way to authenticate.
func everyMethod(t *testing.T, start program) {
	t.Helper()
	parties := []*registration{
		register(t, registration{ID: "basic", Method: "client_secret_basic", Alg: "RS256"}),
		register(t, registration{ID: "post", Method: "client_secret_post", Alg: "ES256"}),
		register(t, registration{ID: "native", Method: "none", Alg: "ES256"}),
	}
	idp := openFor(t, "", parties...)
	for _, r := range parties {
		t.Run(r.ID, func(t *testing.T) {
			start(t, idp, r)
			visit(t, idp, r, webSite(r))
			byTicketAt(t, idp, r)
		})
	}
}

// refusals are logins that must not happen, and what the software makes of them.
func refusals(t *testing.T, start program, register func(*testing.T, registration) *registration) {
	t.Helper()
	other := register(t, registration{ID: "other", Method: "client_secret_basic", Alg: "RS256"})
	closed := register(t, registration{ID: "closed", Method: "client_secret_basic", Alg: "RS256", More: "allow_groups: [finance]"})
	idp := openFor(t, "", closed, other)
	t.Run("wrong secret", func(t *testing.T) {
		other.Secret = "not the one that idp has"
		start(t, idp, other)
		refusedAt(t, bobLogsIn(newVisitor(t, idp), other), "invalid_client")
	})
	t.Run("not in allow_groups", func(t *testing.T) {
		start(t, idp, closed)
		notAllowed(t, idp, closed)
	})
}

// software is how a relying party that runs is used.
type software struct {
	refresh func(*testing.T, *visitor) told
	signOut func(*testing.T, *visitor) *idptest.Page
}

// webSite is how a site is used that has the paths /login, /refresh, /sign-out and
// /signed-out.
func webSite(r *registration) software {
	return software{
		refresh: func(t *testing.T, v *visitor) told {
			t.Helper()
			return reads[told](t, v.post(r.URL+"/refresh", nil), http.StatusOK)
		},
		signOut: func(t *testing.T, v *visitor) *idptest.Page {
			t.Helper()
			p := v.open(r.URL + "/sign-out")
			if state := p.Request.URL.Query().Get("state"); state != "bye" {
				t.Errorf("signed out with state %q, want bye: %s", state, p.Walked)
			}
			return p
		},
	}
}

// visit is bob at a site from the login to the logout.
func visit(t *testing.T, idp *binary, r *registration, s software) {
	t.Helper()
	v := newVisitor(t, idp)
	first := reads[told](t, bobLogsIn(v, r), http.StatusOK)
	first.isBob(t, idp, r)
	second := s.refresh(t, v)
	second.isBob(t, idp, r)
	if second.Access == first.Access || second.IDToken == first.IDToken {
		t.Error("after the refresh the tokens are still the old ones")
	}
	if p := v.open(idp.Issuer + "/account"); p.Request.URL.Path != "/account" {
		t.Fatalf("no session at idp: %s", p.Walked)
	}
	if p := s.signOut(t, v); p.StatusCode != http.StatusOK || !strings.HasPrefix(p.Request.URL.String(), r.URL+"/signed-out") {
		t.Fatalf("signing out walked %s: %d\n%s", p.Walked, p.StatusCode, p.Body)
	}
	if p := v.open(idp.Issuer + "/account"); p.Request.URL.Path != "/login" {
		t.Errorf("after the logout idp still has a session: %s", p.Walked)
	}
	if p := v.open(r.URL + r.Login); !strings.HasPrefix(p.Request.URL.String(), idp.Issuer+"/login") {
		t.Errorf("after the logout the site logs in without a word: %s", p.Walked)
	}
}

// bobLogsIn begins at the site and ends where the site takes him.
func bobLogsIn(v *visitor, r *registration) *idptest.Page {
	v.t.Helper()
	return v.logIn(v.open(r.URL+r.Login), "bob", stage.BobPassword)
}

// byTicketAt logs alice in at a site by her ticket, without a page.
func byTicketAt(t *testing.T, idp *binary, r *registration) {
	t.Helper()
	v := newVisitor(t, idp)
	w := reads[told](t, v.negotiate(v.open(r.URL+r.Login), aliceTicket(t)), http.StatusOK)
	if w.Userinfo.Name != "alice" || !slices.Equal(w.claims(t).AMR, []string{"wia"}) {
		t.Errorf("%+v, want alice by her ticket", w)
	}
}

// refusedAt is a login at a site that must end with this error of the protocol,
// as its software tells it.
func refusedAt(t *testing.T, p *idptest.Page, want string) {
	t.Helper()
	if w := reads[told](t, p, http.StatusBadGateway); w.Error != want && !strings.Contains(w.Message, want) {
		t.Errorf("the site says %+v, want %s", w, want)
	}
}

// notAllowed is bob at a site that is for others: idp keeps him, and his way back
// says access_denied.
func notAllowed(t *testing.T, idp *binary, r *registration) {
	t.Helper()
	v := newVisitor(t, idp)
	p := bobLogsIn(v, r)
	if p.StatusCode != http.StatusForbidden {
		t.Fatalf("walked %s: %d, want 403\n%s", p.Walked, p.StatusCode, p.Body)
	}
	refusedAt(t, v.open(back(t, p, r.redirectURI())), "access_denied")
}

// back is the link of a page that leads to the redirect URI.
func back(t *testing.T, p *idptest.Page, redirectURI string) string {
	t.Helper()
	_, rest, ok := strings.Cut(p.Body, `href="`+redirectURI)
	link, _, end := strings.Cut(rest, `"`)
	if !ok || !end {
		t.Fatalf("no link back to %s\n%s", redirectURI, p.Body)
	}
	return redirectURI + html.UnescapeString(link)
}

// answer logs bob in and stops before the site, which has not seen the answer yet.
func answer(v *visitor, r *registration) *url.URL {
	v.t.Helper()
	v.stay = r.redirectURI()
	defer func() { v.stay = "" }()
	p := bobLogsIn(v, r)
	if p.Location == nil {
		v.t.Fatalf("walked %s: %d\n%s", p.Walked, p.StatusCode, p.Body)
	}
	return p.Location
}

// wantsIss: the software refuses an answer that does not say it is idp's (RFC 9207
// §2.4), as discovery has promised that it does.
func wantsIss(t *testing.T, start program) {
	t.Helper()
	r := register(t, registration{ID: "site", Method: "client_secret_basic", Alg: "RS256"})
	idp := openFor(t, "", r)
	start(t, idp, r)
	for _, iss := range [][]string{{idp.Issuer}, {"https://evil.example"}, nil} {
		v := newVisitor(t, idp)
		a := answer(v, r)
		q := a.Query()
		q["iss"] = iss
		a.RawQuery = q.Encode()
		right := len(iss) > 0 && iss[0] == idp.Issuer
		if p := v.open(a.String()); (p.StatusCode == http.StatusOK) != right {
			t.Errorf("iss %q: %d %s", iss, p.StatusCode, p.Body)
		}
	}
}
