package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"idp/internal/command/commandtest"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
)

const ledger = "https://ledger.example.com"

const tokenClients = `  - client_id: idp-cli
    token_endpoint_auth_method: none
    grant_types: ["urn:ietf:params:oauth:grant-type:token-exchange"]
    scope: openid profile read
    ticket_exchange: [` + ledger + `]
  - client_id: cron
    client_secret_file: wiki.secret
    token_endpoint_auth_method: client_secret_post
    grant_types: ["urn:ietf:params:oauth:grant-type:token-exchange"]
    scope: read
    ticket_exchange: [` + ledger + `]
`

// desk is a machine of the realm at which alice has a ticket, and a server that takes
// tickets.
type desk struct {
	*place
	realm  *krbtest.Realm
	server *idptest.Server
	ccache string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	realm := krbtest.Start(t, krbtest.Options{})
	d := &desk{place: &place{Place: &commandtest.Place{T: t, Dir: t.TempDir()}}, realm: realm}
	d.server = idptest.Start(t, idptest.Options{Clients: tokenClients, YAML: idptest.KerberosYAML(realm) + "resources: [{uri: " + ledger + "}]\n"})
	d.URL = d.server.Issuer
	var err error
	if d.ccache, err = realm.Kinit("alice", krbtest.AlicePassword); err != nil {
		t.Fatal(err)
	}
	d.environment("KRB5CCNAME=FILE:" + d.ccache)
	return d
}

// environment is the realm's, and more.
func (d *desk) environment(more ...string) {
	d.More = append([]string{"KRB5_CONFIG=" + d.realm.Krb5Conf, "no_proxy=", "http_proxy=http://127.0.0.1:1"}, more...)
}

// refused runs idp token, which has to fail and to say all of this.
func (d *desk) refused(args []string, want ...string) {
	d.T.Helper()
	out, errs, err := d.Run("", append([]string{"token"}, args...)...)
	if err == nil || out != "" {
		d.T.Errorf("idp token %v printed %q, %v", args, out, err)
	}
	for _, w := range want {
		if !strings.Contains(errs, w) {
			d.T.Errorf("idp token %v does not say %q:\n%s", args, w, errs)
		}
	}
}

// claims are those of a token for the ledger, as the ledger reads them.
func (d *desk) claims(token string) (claims map[string]any) {
	d.T.Helper()
	ctx := oidc.ClientContext(context.Background(), &http.Client{Transport: idptest.Transport()})
	provider, err := oidc.NewProvider(ctx, d.server.Issuer)
	if err != nil {
		d.T.Fatal(err)
	}
	verified, err := provider.Verifier(&oidc.Config{ClientID: ledger}).Verify(ctx, token)
	if err == nil {
		err = verified.Claims(&claims)
	}
	if err != nil {
		d.T.Fatalf("%q: %v", token, err)
	}
	return claims
}

func TestTokenByATicket(t *testing.T) {
	d := newDesk(t)
	out := d.MustRun("", "token", "--issuer", d.URL, "--audience", ledger)
	token := strings.TrimSuffix(out, "\n")
	if c := d.claims(token); c["preferred_username"] != "alice" || c["client_id"] != "idp-cli" || c["scope"] != "openid profile read" {
		t.Errorf("%v", c)
	}
	// A client with a secret, less scope, the issuer by the file, another way to name the cache.
	d.Write("idp.yaml", "issuer: "+d.URL+"\nkerberos: {keytabs: [not-on-this-machine.keytab]}\n")
	d.environment("KRB5CCNAME=" + d.ccache)
	out = d.MustRun(idptest.WikiSecret+"\n", "token", "--audience", ledger, "--client-id", "cron", "--client-secret-file", "-", "--scope", "read", "--json")
	var answer map[string]any
	if err := json.Unmarshal([]byte(out), &answer); err != nil || answer["token_type"] != "Bearer" || answer["scope"] != "read" {
		t.Fatalf("%s: %v", out, err)
	}
	text, _ := answer["access_token"].(string)
	if c := d.claims(text); c["client_id"] != "cron" || c["scope"] != "read" {
		t.Errorf("%v", c)
	}
	if log := d.server.Log.String(); strings.Contains(log, token) {
		t.Error("the token is in the log")
	}
}

// Where kinit put the ticket is where it is found.
func TestTokenFromOtherCaches(t *testing.T) {
	d := newDesk(t)
	for _, cache := range []string{"DIR:" + d.Dir + "/cc"} {
		if err := d.realm.Client().KinitTo(cache, "alice", krbtest.AlicePassword); err != nil {
			t.Fatal(err)
		}
		d.environment("KRB5CCNAME=" + cache)
		t.Cleanup(func() { _ = d.realm.Client().Run(cache, "", "kdestroy") })
		if c := d.claims(strings.TrimSpace(d.MustRun("", "token", "--issuer", d.URL, "--audience", ledger))); c["preferred_username"] != "alice" {
			t.Errorf("%s: %v", cache, c)
		}
	}
}

// secureDesk is a server with TLS that demands the binding to its certificate; edit
// changes it before it starts.
func secureDesk(t *testing.T, edit func(p *place)) *place {
	t.Helper()
	p, r := healthy(t)
	p.edit("channel_binding: require\n", "channel_binding: require\nresources: [{uri: "+ledger+"}]\nclients:\n"+strings.SplitAfter(tokenClients, "["+ledger+"]\n")[0])
	edit(p)
	p.start()
	cache, err := r.Kinit("alice", krbtest.AlicePassword)
	p.no(err)
	p.More = append(p.More, "KRB5_CONFIG="+r.Krb5Conf, "KRB5CCNAME="+cache)
	return p
}

// Over https the token is bound to the certificate, and a server may demand that.
func TestTokenIsBoundToTheCertificate(t *testing.T) {
	p := secureDesk(t, func(*place) {})
	if out := p.MustRun("", "token", "--audience", ledger); strings.Count(out, ".") != 2 {
		t.Errorf("%q", out)
	}
	p.More = append(p.More, "SSL_CERT_FILE=/dev/null")
	if out, errs, err := p.Run("", "token", "--audience", ledger); err == nil || out != "" || !strings.Contains(errs, "SSL_CERT_FILE=ca.pem") {
		t.Errorf("an unknown certificate: %v %q %s", err, out, errs)
	}
	p = secureDesk(t, func(p *place) {
		p.Write("other.crt", readFile(t, filepath.Join(p.Dir, "sso.crt")))
		p.certificate("sso.localhost")
		p.edit("tls: {certificate: sso.crt, key: sso.key}\n", "trusted_proxies: [127.0.0.1/32]\n")
		p.edit("channel_binding: require\n", "channel_binding: require\n  channel_binding_certificates: [other.crt]\n")
		p.proxy()
	})
	if out, errs, err := p.Run("", "token", "--audience", ledger); err == nil || out != "" || !strings.Contains(errs, "CHANNEL_BINDING") || !strings.Contains(errs, "channel_binding_certificates") {
		t.Errorf("behind a proxy with another certificate: %v %q %s", err, out, errs)
	}
}

// krb5.conf may say where kinit puts tickets, and that people of one realm find the
// server in another.
func TestTokenAsKrb5ConfSays(t *testing.T) {
	d := newDesk(t)
	other := krbtest.Start(t, krbtest.Options{Realm: "PARTNER.TEST", Users: map[string]string{"carol": "carol-password"}, Services: []string{}})
	if err := d.realm.Trust(other); err != nil {
		t.Fatal(err)
	}
	cache, err := other.Kinit("carol", "carol-password")
	if err != nil {
		t.Fatal(err)
	}
	own := fmt.Sprintf("%s/krb5cc_%d", other.Dir, os.Getuid())
	conf := readFile(t, other.Krb5Conf)
	conf = strings.ReplaceAll(conf, "localhost = PARTNER.TEST", "localhost = EXAMPLE.TEST")
	conf = strings.Replace(conf, "[libdefaults]", "[libdefaults]\n    default_ccache_name = FILE:"+other.Dir+"/krb5cc_%{uid}", 1)
	d.Write("krb5.conf", conf)
	d.More = append(d.More, "KRB5CCNAME=", "KRB5_CONFIG="+filepath.Join(d.Dir, "none")+":"+filepath.Join(d.Dir, "krb5.conf"))
	args := []string{"--issuer", d.URL, "--audience", ledger}
	d.refused(args, "no ticket: "+own, "kinit")
	if err := os.Rename(cache, own); err != nil {
		t.Fatal(err)
	}
	// The KDCs agree; this server does not trust the realm, and says so.
	d.refused(args, "invalid_request", "REALM_NOT_TRUSTED")
	d.Write("krb5.conf", strings.ReplaceAll(conf, "localhost = EXAMPLE.TEST", "localhost = PARTNER.TEST"))
	d.refused(args, "WRONG_SPN", "domain_realm")
}

// Where krb5.conf does not say in which realm the server is, the KDC of one's own may.
func TestTokenByReferral(t *testing.T) {
	realm := krbtest.Start(t, krbtest.Options{})
	other := krbtest.Start(t, krbtest.Options{Realm: "PARTNER.TEST", Users: map[string]string{"carol": "carol-password"}, Services: []string{}})
	if err := realm.Trust(other); err != nil {
		t.Fatal(err)
	}
	d := &desk{place: &place{Place: &commandtest.Place{T: t, Dir: t.TempDir()}}, realm: other}
	d.server = idptest.Start(t, idptest.Options{Clients: tokenClients, YAML: strings.Replace(idptest.KerberosYAML(realm), "{name: "+realm.Name+"}", "{name: "+realm.Name+"}, {name: "+other.Name+"}", 1) + "resources: [{uri: " + ledger + "}]\n"})
	args := []string{"--issuer", d.server.Issuer, "--audience", ledger}
	conf := readFile(t, other.Krb5Conf) // of the KDC of carol's realm
	d.Write("krb5.conf", conf[:strings.Index(conf, "[domain_realm]")])
	cache, err := other.Kinit("carol", "carol-password")
	if err != nil {
		t.Fatal(err)
	}
	d.More = []string{"KRB5CCNAME=" + cache, "KRB5_CONFIG=" + filepath.Join(d.Dir, "krb5.conf")}
	d.refused(args, "WRONG_SPN", "HTTP/idp.localhost@PARTNER.TEST", "domain_realm")

	other.Refer(t, "localhost", realm.Name)
	if c := d.claims(strings.TrimSpace(d.MustRun("", append([]string{"token"}, args...)...))); c["preferred_username"] != "carol@PARTNER.TEST" {
		t.Errorf("%v", c)
	}
	// Two KDCs that take each other's realm for the server's.
	if err := realm.Kadmin("delprinc -force HTTP/idp.localhost\n"); err != nil {
		t.Fatal(err)
	}
	d.refused(args, "WRONG_SPN", "HTTP/idp.localhost@EXAMPLE.TEST")
	realm.Refer(t, "localhost", other.Name)
	d.refused(args, "circle: PARTNER.TEST, EXAMPLE.TEST, PARTNER.TEST")
}

// A ticket for the server itself is enough; one for another is not.
func TestTokenByAServiceTicketAlone(t *testing.T) {
	d := newDesk(t)
	args := []string{"token", "--issuer", d.URL, "--audience", ledger}
	for _, service := range []string{"HTTP/localhost", "HTTP/idp.localhost"} {
		if _, err := d.realm.Kinit("alice", krbtest.AlicePassword, "-S", service); err != nil {
			t.Fatal(err)
		}
		if service == "HTTP/localhost" {
			d.refused(args[1:], "no ticket-granting ticket of alice@EXAMPLE.TEST in it, only for HTTP/localhost@EXAMPLE.TEST", "kinit")
		}
	}
	if c := d.claims(strings.TrimSpace(d.MustRun("", args...))); c["preferred_username"] != "alice" {
		t.Errorf("%v", c)
	}
}

// Several people, or one of several realms, have tickets here, and the default one will
// not do.
func TestTokenTellsOfOtherTickets(t *testing.T) {
	d := newDesk(t)
	other := krbtest.Start(t, krbtest.Options{Realm: "PARTNER.TEST", Users: map[string]string{"carol": "carol-password"}, Services: []string{}})
	if err := d.realm.Trust(other); err != nil {
		t.Fatal(err)
	}
	cache := "DIR:" + d.Dir + "/cc"
	for _, err := range []error{d.realm.Client().KinitTo(cache, "alice", krbtest.AlicePassword), other.Client().KinitTo(cache, "carol", "carol-password")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"--issuer", d.URL, "--audience", ledger}
	alice := "tickets are here for alice@EXAMPLE.TEST (DIR::" + d.Dir + "/cc/tkt)"
	d.More = append(d.More, "KRB5CCNAME="+cache, "KRB5_CONFIG="+other.Krb5Conf)
	d.refused(args, "WRONG_SPN", "HTTP/idp.localhost@PARTNER.TEST", alice, "kswitch -p")
	d.environment("KRB5CCNAME=" + cache)
	d.refused(args, "REALM_NOT_TRUSTED", alice, "kswitch -p")
	if err := d.realm.Client().Run(cache, "", "kdestroy"); err != nil {
		t.Fatal(err)
	}
	d.refused(args, "there is no ticket: ", alice, "kswitch -p")
	if err := d.realm.Client().Run(cache, "", "kswitch", "-p", "alice@EXAMPLE.TEST"); err != nil {
		t.Fatal(err)
	}
	if c := d.claims(strings.TrimSpace(d.MustRun("", append([]string{"token"}, args...)...))); c["preferred_username"] != "alice" {
		t.Errorf("%v", c)
	}
}

func TestTokenSaysWhatToDo(t *testing.T) {
	d := newDesk(t)
	args := []string{"--issuer", d.URL, "--audience", ledger}
	d.refused(nil, `required flag(s) "audience"`)
	d.refused([]string{"--audience", ledger}, "--issuer", "IDP_ISSUER")
	d.refused([]string{"--audience", ledger, "--issuer", "http://sso.example.com"}, "want https")
	d.refused([]string{"--audience", ledger, "--issuer", "sso.example.com"}, "want its URL")
	d.refused([]string{"--audience", ledger, "--issuer", "http://localhost:1"}, "connection refused")
	d.refused([]string{"--audience", ledger, "--issuer", strings.Replace(d.URL, "idp.localhost", "127.0.0.1", 1)}, "the issuer is called", d.URL)
	d.refused([]string{"--audience", ledger, "--issuer", d.URL + "/account"}, "is this the issuer?")
	d.refused(append(args, "--client-id", "nobody"), "invalid_client", `"nobody"`, "--client-secret-file", "token_endpoint_auth_method none")
	d.Write("secret", idptest.WikiSecret)
	d.refused(append(args, "--client-id", "wiki", "--client-secret-file", "secret"), "invalid_client", `"wiki"`, "not token_endpoint_auth_method client_secret_post", "client_secret_basic")
	d.refused(append(args, "--client-id", "app"), "unauthorized_client", "ticket_exchange ["+ledger+"]")
	d.refused([]string{"--issuer", d.URL, "--audience", "https://other.example.com"}, "invalid_target", "resources")
	d.refused(append(args, "--client-id", "cron", "--client-secret-file", "none"), "--client-secret-file")

	d.environment("KRB5CCNAME=" + d.Dir + "/none")
	d.refused(args, "no ticket", "kinit", "klist")
	for _, kind := range []string{"API:x", "MEMORY:x"} {
		d.environment("KRB5CCNAME=" + kind)
		d.refused(args, kind, "export KRB5CCNAME=FILE:", "kinit")
	}
	d.Write("garbage", "\x05\x04garbage")
	d.environment("KRB5CCNAME=FILE:garbage")
	d.refused(args, "garbage: not a credential cache")
	d.environment("KRB5CCNAME=FILE:" + d.Dir)
	d.refused(args, "no file of at most")

	d.environment("KRB5CCNAME=" + d.ccache)
	d.kadmin("delprinc -force HTTP/idp.localhost\n")
	d.refused(args, "WRONG_SPN", "HTTP/idp.localhost@EXAMPLE.TEST", "idp keytab plan")
	d.kadmin("addprinc -randkey HTTP/idp.localhost\n")
	d.refused(args, "invalid_request", "the server's keytab does not fit", "idp doctor")
	if err := d.realm.SetClock(10 * time.Minute); err != nil {
		t.Fatal(err)
	}
	d.refused(args, "CLOCK_SKEW", "clock")
	d.realm.Stop()
	d.refused(args, "KDC_UNREACHABLE", "no KDC answers")
}

func (d *desk) kadmin(commands string) {
	d.T.Helper()
	if err := d.realm.Kadmin(commands); err != nil {
		d.T.Fatal(err)
	}
}

// pretender is a server at another port of the issuer's host, with a discovery
// document of its own; answer is its token endpoint.
func (d *desk) pretender(answer http.HandlerFunc) (issuer string) {
	mux := http.NewServeMux()
	s := httptest.NewServer(mux)
	d.T.Cleanup(s.Close)
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	issuer = "http://idp.localhost:" + port
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer": %q, "token_endpoint": %q}`, issuer, issuer+"/token")
	})
	mux.HandleFunc("POST /token", answer)
	return issuer
}

// TestHoleTokenOfAServerWithoutProof: whoever answers in the server's place gives the
// program a token of its choice, say one by which it acts for somebody else. It has
// to be the server that opened the ticket, in this exchange.
func TestHoleTokenOfAServerWithoutProof(t *testing.T) {
	d := newDesk(t)
	real, err := url.Parse(d.URL)
	if err != nil {
		t.Fatal(err)
	}
	relay := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(real) }, Transport: idptest.Transport()}
	proof := ""
	relay.ModifyResponse = func(r *http.Response) error { proof = r.Header.Get("WWW-Authenticate"); return nil }
	if out := d.MustRun("", "token", "--issuer", d.pretender(relay.ServeHTTP), "--audience", ledger); len(out) < 100 || !strings.HasPrefix(proof, "Negotiate ") {
		t.Fatalf("through a relay: %q %q", out, proof)
	}
	b64 := base64.StdEncoding.EncodeToString
	for name, header := range map[string]string{
		"nothing":                       "",
		"no token":                      "Negotiate",
		"garbage":                       "Negotiate !",
		"no SPNEGO":                     "Negotiate " + b64([]byte("garbage")),
		"completed, without an AP-REP":  "Negotiate " + b64(krbtest.NegTokenResp(krbtest.NegCompleted, krbtest.MechKRB5, nil, nil)),
		"completed, the AP-REP empty":   "Negotiate " + b64(krbtest.NegTokenResp(krbtest.NegCompleted, krbtest.MechKRB5, krbtest.Frame(nil), nil)),
		"the AP-REP of another session": proof,
		"another scheme":                strings.Replace(proof, "Negotiate", "Basic", 1),
	} {
		issuer := d.pretender(func(w http.ResponseWriter, _ *http.Request) {
			if header != "" {
				w.Header().Set("WWW-Authenticate", header)
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"access_token": "planted", "token_type": "Bearer"}`)
		})
		for _, more := range []string{"--json=false", "--json"} {
			t.Log(name)
			d.refused([]string{"--issuer", issuer, "--audience", ledger, more}, "NOT_GENUINE", "did not prove")
		}
	}
}

// TestHoleTicketSentElsewhere: the ticket, and the client's secret with it, go to the
// issuer and to nobody that it, or who plays it, names.
func TestHoleTicketSentElsewhere(t *testing.T) {
	d := newDesk(t)
	var seen atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { seen.Store(true) }))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 307, 308} {
		issuer := d.pretender(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, status) })
		d.refused([]string{"--issuer", issuer, "--audience", ledger}, "no ticket goes elsewhere", elsewhere.URL)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprintf(w, `{"issuer": %q, "token_endpoint": %q}`, "http://"+r.Host, elsewhere.URL+"/token")
	}))
	defer s.Close()
	issuer := strings.Replace(s.URL, "127.0.0.1", "idp.localhost", 1)
	d.refused([]string{"--issuer", issuer, "--audience", ledger}, "no ticket is sent there")
	if seen.Load() {
		t.Error("something was sent there")
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
