//go:build interop

package interop_test

import (
	"crypto/elliptic"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"idp/examples/demo/stage"
	"idp/internal/idptest"
)

// What docs/interoperability.md writes, and every test puts its own in the place of.
const (
	docIssuer = "https://sso.example.com"
	docSite   = "https://wiki.example.com"
	docSecret = "the-content-of-wiki.secret"
)

// moreOfClient is the line of the document's clients that tests add others to.
const moreOfClient = "    client_name: Wiki"

// documented is a relying party, and an idp of its own, both set up by what
// docs/interoperability.md says.
type documented struct {
	*binary
	*registration
	dir  string // the site's folder; other users may read it, as Apache's do
	doc  string // the software's section of the document
	edit []string

	certificate, key string // files, for a site that ends TLS itself
}

// newDocumented starts an idp over TLS, by the name localhost, which every program
// resolves; its client is what the section's yaml block says. The site is the
// caller's to start, at scheme://site.localhost: a name for browsers. edit are
// pairs, old and new: what this test has otherwise than the document.
func newDocumented(t *testing.T, section, scheme string, edit ...string) *documented {
	t.Helper()
	return newDocumentedBy(t, sectionOf(t, section), scheme, "partners", edit...)
}

// newDocumentedBy is the same for any document, and groups of bob's.
func newDocumentedBy(t *testing.T, doc, scheme, groups string, edit ...string) *documented {
	t.Helper()
	dir, err := os.MkdirTemp("", "idp-site-")
	must(t, err, os.Chmod(dir, 0o755))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	idpAddr, idpPort := freeAddress(t)
	addr, port := freeAddress(t)
	d := &documented{
		binary:       &binary{Issuer: "https://localhost:" + idpPort, CA: filepath.Join(dir, "ca.pem")},
		registration: &registration{ID: "wiki", Alg: "RS256", Login: "/", Listen: addr, URL: scheme + "://site.localhost:" + port},
		dir:          dir, doc: doc, edit: edit,
	}
	d.certificate, d.key = pair(t, elliptic.P256())
	ca, err := os.ReadFile(d.certificate)
	must(t, err)
	d.write(t, "ca.pem", string(ca))
	d.write(t, "wiki.secret", docSecret)
	bob := d.write(t, "bob.password", stage.BobPassword)
	d.start(t, idpAddr, "  fallback: form\n", fmt.Sprintf(
		"tls: {certificate: %s, key: %s}\nusers:\n  - {name: bob, password_file: %s, email: bob@example.com, groups: [%s]}\n%s",
		d.certificate, d.key, bob, groups, d.block(t, "yaml")))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the site said:\n%s\nidp said:\n%s", tail(d.siteLog()), strings.Join(d.said(t, `"msg":"request"`), ""))
		}
	})
	return d
}

func (d *documented) siteLog() string { return filepath.Join(d.dir, "site.log") }

// logged says whether the site's log contains a text.
func (d *documented) logged(t *testing.T, text string) bool {
	t.Helper()
	log, err := os.ReadFile(d.siteLog())
	must(t, err)
	return strings.Contains(string(log), text)
}

func (d *documented) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(d.dir, name)
	must(t, os.WriteFile(path, []byte(text), 0o644))
	return path
}

// sectionOf is what stands in the document below a heading.
func sectionOf(t *testing.T, heading string) string {
	t.Helper()
	text, err := os.ReadFile("../docs/interoperability.md")
	must(t, err)
	_, rest, ok := strings.Cut(string(text), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/interoperability.md has no section %q", heading)
	}
	rest, _, _ = strings.Cut(rest, "\n## ")
	return rest
}

// block is the section's block in a language, for this test's addresses and with
// its edits, which count in every block that has their old text.
func (d *documented) block(t *testing.T, language string) string {
	t.Helper()
	_, block, ok := strings.Cut(d.doc, "\n```"+language+"\n")
	if !ok {
		t.Fatalf("no %s block in this section:\n%s", language, d.doc)
	}
	block, _, _ = strings.Cut(block, "\n```")
	for i := 0; i < len(d.edit); i += 2 {
		if !strings.Contains(d.doc, d.edit[i]) {
			t.Fatalf("the section does not say %q, so this test cannot say otherwise", d.edit[i])
		}
		block = strings.ReplaceAll(block, d.edit[i], d.edit[i+1])
	}
	secret := filepath.Join(d.dir, "wiki.secret")
	return strings.NewReplacer("jwks_uri: "+docSite, "jwks_uri: "+d.near(), "backchannel_logout_uri: "+docSite, "backchannel_logout_uri: "+d.near(),
		docIssuer, d.Issuer, docSite, d.URL, docSecret, docSecret, "wiki.secret", secret).Replace(block) + "\n"
}

// near is the site for idp, which resolves no names below localhost.
func (d *documented) near() string {
	return strings.Replace(d.URL, "site.localhost", "localhost", 1)
}

// python is a program of Python, with the packages that scripts/install-python has
// installed; it finds sso.py, which is the document's block. DATA_FOLDER is a folder
// for what it keeps.
func (d *documented) python(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	d.write(t, "sso.py", d.block(t, "python"))
	cmd := exec.Command(absolute(t, "../.cache/python/bin/python"), append([]string{absolute(t, program)}, args...)...)
	cmd.Env = append(os.Environ(), "PYTHONPATH="+d.dir+":"+absolute(t, "../examples/django-oidc"), "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1",
		"REQUESTS_CA_BUNDLE="+d.CA, "DATA_FOLDER="+d.dir)
	return cmd
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("%v (scripts/install-python makes .cache/python)", err)
	}
	path, err := filepath.Abs(path)
	must(t, err)
	return path
}

// asked fails the test unless idp was asked by this method and path, and answered
// with this status.
func (d *documented) asked(t *testing.T, method, path string, status int) {
	t.Helper()
	if len(d.said(t, `"msg":"request"`, fmt.Sprintf(`"method":%q`, method), path, fmt.Sprintf(`"status":%d`, status))) == 0 {
		t.Errorf("no %s %s was answered %d", method, path, status)
	}
}

// bobAt logs bob in on his way to a page of the site.
func (d *documented) bobAt(v *visitor, path string) *idptest.Page {
	v.t.Helper()
	return v.logIn(v.open(d.URL+path), "bob", stage.BobPassword)
}

// aliceTicket is an Authorization header with alice's ticket.
func aliceTicket(t *testing.T) string {
	t.Helper()
	ticket, err := set.Realm.Ticket("alice", stage.AlicePassword, "HTTP/localhost")
	must(t, err)
	return idptest.Negotiate(t, ticket)
}

// backFromRefusal is bob at the site after our page that refuses him: his way back
// carries access_denied to the redirect URI.
func (d *documented) backFromRefusal(v *visitor) *idptest.Page {
	v.t.Helper()
	p := d.bobAt(v, d.Login)
	at(v.t, p, http.StatusForbidden, d.Issuer+"/authorize/resume")
	return v.open(back(v.t, p, d.redirectURI()))
}

// at fails the test unless the page is this one.
func at(t *testing.T, p *idptest.Page, status int, where string) {
	t.Helper()
	u := *p.Request.URL
	u.RawQuery = ""
	if p.StatusCode != status || u.String() != where {
		t.Fatalf("%d at %s, want %d at %s\n%s", p.StatusCode, p.Request.URL, status, where, p.Body)
	}
}

// queryOf is the query of the address with this path on the way to a page.
func queryOf(t *testing.T, p *idptest.Page, path string) url.Values {
	t.Helper()
	for _, w := range p.Walked {
		u, err := url.Parse(w)
		must(t, err)
		if u.Path == path {
			return u.Query()
		}
	}
	t.Fatalf("never at %s, but at %s", path, p.Walked)
	return nil
}
