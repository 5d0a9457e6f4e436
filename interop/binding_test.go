//go:build interop

package interop_test

import (
	"crypto/elliptic"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// binary is the real idp, with a configuration of its own, in the stage's realm.
type binary struct {
	Issuer string
	CA     string // a PEM file that vouches for what browsers see, and whom it believes itself
	key    string // the PEM file of its key, where a site at localhost has the same
	log    string
	file   string // its configuration
}

// said returns the lines of the log that contain all of the words.
func (b *binary) said(t *testing.T, words ...string) (out []string) {
	t.Helper()
	text, err := os.ReadFile(b.log)
	must(t, err)
lines:
	for line := range strings.Lines(string(text)) {
		for _, w := range words {
			if !strings.Contains(line, w) {
				continue lines
			}
		}
		out = append(out, line)
	}
	return out
}

// start runs idp at listen until the test ends; more is added to its kerberos
// section, and top is more of the file.
func (b *binary) start(t *testing.T, listen, more, top string) {
	t.Helper()
	dir := t.TempDir()
	yaml := fmt.Sprintf("issuer: %s\nlisten: %s\ndatabase: sqlite:idp.db\n%skerberos:\n  keytabs: [%s]\n  krb5_conf: %s\n  realms: [{name: %s}]\n%s",
		b.Issuer, listen, top, set.Realm.Keytab, set.Realm.Krb5Conf, set.Realm.Name, more)
	b.file, b.log = filepath.Join(dir, "idp.yaml"), filepath.Join(dir, "idp.log")
	must(t, os.WriteFile(b.file, []byte(yaml), 0o600))
	cmd := exec.Command(filepath.Join(set.Bin, "idp"), "serve", "--config", b.file)
	// Whatever it would write of its own accord lands in this folder.
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "TMPDIR="+dir, "KRB5CCNAME="+filepath.Join(dir, "ccache"), "SSL_CERT_FILE="+b.CA)
	launch(t, cmd, b.log, listen)
}

// does runs a command of idp's beside the server.
func (b *binary) does(t *testing.T, command ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(set.Bin, "idp"), append(command, "--config", b.file)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// withTLS is an idp that ends TLS itself.
func withTLS(t *testing.T, curve elliptic.Curve, more string) *binary {
	t.Helper()
	certificate, key := pair(t, curve)
	addr, port := freeAddress(t)
	b := &binary{Issuer: "https://idp.localhost:" + port, CA: certificate}
	b.start(t, addr, more, fmt.Sprintf("tls: {certificate: %s, key: %s}\n", certificate, key))
	return b
}

// behindTLS is an idp behind a proxy that ends TLS; more may name the proxy's
// certificate as %s.
func behindTLS(t *testing.T, more string) *binary {
	t.Helper()
	certificate, key := pair(t, elliptic.P256())
	addr, _ := freeAddress(t)
	keys, err := tls.LoadX509KeyPair(certificate, key)
	must(t, err)
	proxy := httptest.NewUnstartedServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(&url.URL{Scheme: "http", Host: addr})
		r.SetXForwarded()
		r.Out.Host = r.In.Host
	}})
	proxy.TLS = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{keys}}
	proxy.StartTLS()
	t.Cleanup(proxy.Close)
	_, port, err := net.SplitHostPort(proxy.Listener.Addr().String())
	must(t, err)
	b := &binary{Issuer: "https://idp.localhost:" + port, CA: certificate}
	b.start(t, addr, strings.ReplaceAll(more, "%s", certificate), "trusted_proxies: [127.0.0.0/8]\n")
	return b
}

// gssLogin is what gss_login.py prints.
type gssLogin struct {
	Status    int
	Location  string
	Server    bool // the server proved itself
	Delegated bool // credentials went with the token
	Size      int  // of the token
}

// log in by gss_login.py with a channel binding.
func (b *binary) login(t *testing.T, binding ...string) (got gssLogin) {
	t.Helper()
	python(t, "gss_login.py", ticket(t), &got, append([]string{b.Issuer + "/login/negotiate", b.CA}, binding...)...)
	return got
}

// wants checks logins with bindings that are right, wrong, and none: accepted,
// or refused with CHANNEL_BINDING.
func (b *binary) wants(t *testing.T, accepted map[string]bool, options ...string) {
	t.Helper()
	for binding, ok := range accepted {
		t.Run(binding, func(t *testing.T) {
			before := len(b.said(t, `"reason":"CHANNEL_BINDING"`))
			got := b.login(t, append([]string{binding}, options...)...)
			if ok && (got.Status != http.StatusSeeOther || !got.Server || !strings.HasSuffix(got.Location, "/account")) {
				t.Errorf("%+v, want a verified 303 to /account: %s", got, b.said(t, `"reason":`))
			}
			if !ok && got.Status != http.StatusUnauthorized {
				t.Errorf("%+v, want 401", got)
			}
			if now := len(b.said(t, `"reason":"CHANNEL_BINDING"`)); (now > before) == ok {
				t.Errorf("%d log lines say CHANNEL_BINDING, %d before", now, before)
			}
		})
	}
}

func TestChannelBindingIsCheckedWhereAClientSendsOne(t *testing.T) {
	withTLS(t, elliptic.P256(), "").wants(t, map[string]bool{"right": true, "wrong": false, "none": true})
}

func TestChannelBindingOfACertificateWithSHA384(t *testing.T) {
	withTLS(t, elliptic.P384(), "").wants(t, map[string]bool{"right": true, "wrong": false}, "--hash", "sha384")
}

func TestChannelBindingRequired(t *testing.T) {
	withTLS(t, elliptic.P256(), "  channel_binding: require\n").wants(t, map[string]bool{"right": true, "wrong": false, "none": false})
}

// Debian's requests-kerberos sends no channel binding, and neither does Chromium on
// Linux: by default they are let in.
func TestRequestsKerberosOverTLS(t *testing.T) {
	b := withTLS(t, elliptic.P256(), "")
	t.Setenv("REQUESTS_CA_BUNDLE", b.CA)
	var got answers
	python(t, "requests_kerberos_login.py", ticket(t), &got, b.Issuer+"/login/negotiate")
	if len(got) != 1 || got[0].Status != http.StatusSeeOther || !got[0].Server {
		t.Errorf("got %+v, want one verified 303: %s", got, b.said(t, `"reason":`))
	}
}

func TestChannelBindingOff(t *testing.T) {
	withTLS(t, elliptic.P256(), "  channel_binding: off\n").wants(t, map[string]bool{"right": true, "wrong": true, "none": true})
}

func TestChannelBindingBehindAProxy(t *testing.T) {
	const named = "  channel_binding_certificates: [%s]\n"
	t.Run("allow", func(t *testing.T) {
		behindTLS(t, named).wants(t, map[string]bool{"right": true, "wrong": false, "none": true})
	})
	t.Run("require", func(t *testing.T) {
		behindTLS(t, named+"  channel_binding: require\n").wants(t, map[string]bool{"right": true, "wrong": false, "none": false})
	})
	// Nobody told idp what browsers see: nothing to compare with.
	t.Run("not named", func(t *testing.T) {
		behindTLS(t, "").wants(t, map[string]bool{"right": true, "wrong": true, "none": true})
	})
}

// A client may hand its ticket-granting ticket to the server; idp logs it in and
// keeps nothing of it.
func TestDelegatedCredentialsAreDropped(t *testing.T) {
	b := withTLS(t, elliptic.P256(), "")
	must(t, set.Realm.Kadmin("modprinc +ok_as_delegate HTTP/idp.localhost\n"))
	ccache, err := set.Realm.Kinit("user", "user-password", "-f")
	must(t, err)
	var plain, delegating gssLogin
	python(t, "gss_login.py", ccache, &plain, b.Issuer+"/login/negotiate", b.CA, "right")
	python(t, "gss_login.py", ccache, &delegating, b.Issuer+"/login/negotiate", b.CA, "right", "--delegate")
	if !delegating.Delegated || delegating.Size < plain.Size+500 {
		t.Fatalf("nothing was delegated: %+v, without %+v", delegating, plain)
	}
	if delegating.Status != http.StatusSeeOther || !delegating.Server {
		t.Errorf("%+v, want a verified 303: %s", delegating, b.said(t, `"reason":`))
	}
	files, err := os.ReadDir(filepath.Dir(b.log))
	must(t, err)
	for _, f := range files {
		if !strings.HasPrefix(f.Name(), "idp.") {
			t.Errorf("idp has made a file %s", f.Name())
		}
		text, err := os.ReadFile(filepath.Join(filepath.Dir(b.log), f.Name()))
		must(t, err)
		if strings.Contains(string(text), "krbtgt") {
			t.Errorf("%s tells of the delegated ticket", f.Name())
		}
	}
}
