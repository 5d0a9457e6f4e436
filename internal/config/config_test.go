package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/store"
)

func load(t *testing.T, text string, environ ...string) (*Config, Problems) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "idp.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(path, environ)
	var problems Problems
	if err != nil && !errors.As(err, &problems) {
		t.Fatalf("Load: %v, want Problems", err)
	}
	return c, problems
}

func TestNoFileIsAUsableServer(t *testing.T) {
	c, err := Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Issuer != "http://localhost:8080" || c.Database != "sqlite:idp.db" || c.Lifetimes.Code.D() != time.Minute {
		t.Errorf("defaults: %+v", c)
	}
}

func TestEveryProblemAtOnceWithItsLine(t *testing.T) {
	_, problems := load(t, `issuer: http://sso.example.com
lissten: 127.0.0.1:8080
lifetimes: {code: fast, id_token: -1s}
kerberos:
  fallbak: basic
  keytabs: http.keytab
  offer_to: [10.0.0.0/8, house]
  allow_rc4: perhaps
  realms:
    - name: EXAMPLE.TEST
      case: sometimes
clients:
  - client_id: 0123
  - client_id: wiki
    client_secret_file: no-such-file
    redirect_uris: {}
trusted_proxies: [10.1.2.3]
`)
	want := []struct {
		line int
		text string
	}{
		{1, "http is for localhost"},
		{2, "did you mean listen?"},
		{3, "lifetimes.code: cannot be read"},
		{3, "lifetimes.id_token: is not more than zero"},
		{5, "did you mean fallback?"},
		{6, "kerberos.keytabs: wants a list"},
		{7, "kerberos.offer_to[1]: cannot be read"},
		{8, "kerberos.allow_rc4: wants true or false"},
		{11, `kerberos.realms[0].case`},
		{13, "clients[0].client_id: wants a text"},
		{15, "no such file"},
		{16, "clients[1].redirect_uris: wants a list"},
		{17, "trusted_proxies[0]: cannot be read"},
	}
	for _, w := range want {
		found := false
		for _, p := range problems {
			found = found || (p.Line == w.line && strings.Contains(p.Error(), w.text))
		}
		if !found {
			t.Errorf("no problem in line %d about %q", w.line, w.text)
		}
	}
	if t.Failed() {
		t.Log("\n" + problems.Error())
	}
}

func TestPathsAreRelativeToTheFile(t *testing.T) {
	c, problems := load(t, "database: sqlite:data/idp.db\nkerberos: {keytabs: [a.keytab, /etc/b.keytab]}\n")
	if problems != nil {
		t.Fatal(problems)
	}
	dir := filepath.Dir(c.Path)
	if c.Database != "sqlite:"+dir+"/data/idp.db" || c.Kerberos.Keytabs[0] != dir+"/a.keytab" || c.Kerberos.Keytabs[1] != "/etc/b.keytab" {
		t.Errorf("database %q, keytabs %q", c.Database, c.Kerberos.Keytabs)
	}
	if c.Kerberos.Krb5Conf != "/etc/krb5.conf" || !c.HasKerberos {
		t.Errorf("krb5_conf %q, has section %v", c.Kerberos.Krb5Conf, c.HasKerberos)
	}
}

func TestEnvironment(t *testing.T) {
	c, problems := load(t, "listen: 127.0.0.1:1\n", "IDP_LISTEN=127.0.0.1:2", "IDP_KERBEROS_FALLBACK=form", "IDP_LIFETIMES_CODE=30s", "HOME=/")
	if problems != nil {
		t.Fatal(problems)
	}
	if c.Listen != "127.0.0.1:2" || c.Kerberos.Fallback != "form" || c.Lifetimes.Code.D() != 30*time.Second {
		t.Errorf("listen %q, fallback %q, code %v", c.Listen, c.Kerberos.Fallback, c.Lifetimes.Code.D())
	}
	_, problems = load(t, "", "IDP_LISSEN=x", "IDP_LIFETIMES_CODE=soon")
	if len(problems) != 2 {
		t.Errorf("problems %v, want one for each variable", problems)
	}
}

func TestAProblemNamesWhereTheValueWasSet(t *testing.T) {
	c, problems := load(t, "kerberoz: {}\nclients:\n  - client_id: a\n", "IDP_LISSEN=x", "IDP_LIFETIMES_CODE=soon", "IDP_ISSUER=nonsense")
	if c == nil {
		t.Fatal("no Config beside the Problems")
	}
	for prefix, want := range map[string]bool{
		c.Path + ":1: kerberoz: ": true, "IDP_LISSEN: ": true, "IDP_LIFETIMES_CODE: ": true, "IDP_ISSUER: ": true, c.Path + ": ": false,
	} {
		if got := strings.Contains("\n"+problems.Error(), "\n"+prefix); got != want {
			t.Errorf("a problem begins with %q: %v, want %v:\n%v", prefix, got, want, problems)
		}
	}
	if p := c.Problem("$.clients[0].redirect_uris", "missing", ""); p.Line != 3 || p.Key != "clients[0].redirect_uris" {
		t.Errorf("a missing key's problem: line %d, key %q, want the line of what it should be in", p.Line, p.Key)
	}
}

func TestKerberosByTheEnvironmentAlone(t *testing.T) {
	c, problems := load(t, "", "IDP_KERBEROS_BASIC_REALM=Example Ltd")
	if problems != nil || !c.HasKerberos {
		t.Errorf("problems %v, has section %v, want the section", problems, c.HasKerberos)
	}
}

func TestKeysOfLaterVersionsAreKnown(t *testing.T) {
	_, problems := load(t, `metrics_listen: 127.0.0.1:9090
admin: {users: [], groups: []}
upstreams: []
ldap: {}
smtp:
factors: []
forward_auth: []
`)
	if problems != nil {
		t.Errorf("empty: %v, want no problem", problems)
	}
	_, problems = load(t, `admin: {users: [alice]}
users: [{name: bob, password_file: /dev/null, admin: []}]
`)
	for i, want := range []string{"admin: is not supported", "users[0].admin: unknown key"} {
		if i >= len(problems) || !strings.Contains(problems[i].Error(), want) {
			t.Fatalf("problems\n%v\nwant %q as number %d", problems, want, i)
		}
	}
}

func TestEmptyAndNullKeepDefaults(t *testing.T) {
	c, problems := load(t, "listen:\nkerberos:\n")
	if problems != nil {
		t.Fatal(problems)
	}
	if c.Listen != "127.0.0.1:8080" || c.Kerberos.MaxFailures != 3 {
		t.Errorf("listen %q, max_failures %d", c.Listen, c.Kerberos.MaxFailures)
	}
}

func TestTrustedAssertionsAreRead(t *testing.T) {
	c, problems := load(t, `clients:
  - client_id: deploy
    trusted_assertions:
      - {issuer: https://ci.example, jwks_uri: https://ci.example/jwks, subject: "repo:org/app:ref:refs/heads/main"}
      - {issuer: https://k8s.example, jwks_uri: https://k8s.example/jwks, subject: "system:serviceaccount:a:b", audience: idp}
`)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	want := []store.TrustedAssertion{
		{Issuer: "https://ci.example", JWKSURI: "https://ci.example/jwks", Subject: "repo:org/app:ref:refs/heads/main"},
		{Issuer: "https://k8s.example", JWKSURI: "https://k8s.example/jwks", Subject: "system:serviceaccount:a:b", Audience: "idp"},
	}
	if diff := cmp.Diff(want, c.Clients[0].TrustedAssertions); diff != "" {
		t.Error(diff)
	}
	_, problems = load(t, "clients: [{client_id: a, trusted_assertions: [{issuer: https://ci.example, subjects: [x]}]}]\n")
	if len(problems) != 1 || !strings.Contains(problems[0].Error(), "clients[0].trusted_assertions[0].subjects: unknown key") {
		t.Errorf("%v", problems)
	}
}

// What is false where the default is true must not be taken for absent.
func TestOptionalValuesAreRead(t *testing.T) {
	c, problems := load(t, "clients: [{client_id: a, require_pkce: false, trusted: false, default_max_age: 0}, {client_id: b, trusted: true}, {client_id: c, trusted: }]\n")
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	a, b := c.Clients[0], c.Clients[1]
	if a.RequirePKCE == nil || *a.RequirePKCE || a.Trusted == nil || *a.Trusted || a.DefaultMaxAge == nil || *a.DefaultMaxAge != 0 {
		t.Errorf("a: %v %v %v", a.RequirePKCE, a.Trusted, a.DefaultMaxAge)
	}
	if b.RequirePKCE != nil || b.Trusted == nil || !*b.Trusted || c.Clients[2].Trusted != nil {
		t.Errorf("b: %v %v, c: %v", b.RequirePKCE, b.Trusted, c.Clients[2].Trusted)
	}
}

func TestDatabasePasswordInURLIsRefused(t *testing.T) {
	_, problems := load(t, "database: postgres://idp:hunter2@db/idp\n")
	if len(problems) != 1 || strings.Contains(problems.Error(), "hunter2") {
		t.Errorf("problems %v, want one without the password", problems)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add("issuer: https://a.example\n")
	f.Add("- a\n- b: [")
	f.Add("kerberos: &a {realms: [*a]}")
	f.Add("a: 1\n---\nb: 2")
	dir := f.TempDir()
	f.Fuzz(func(_ *testing.T, text string) {
		path := filepath.Join(dir, "idp.yaml")
		if os.WriteFile(path, []byte(text), 0o600) == nil {
			_, _ = Load(path, nil)
		}
	})
}

// What may be left out and means something when it is false or 0 is read: a
// relying party that is not trusted must not become so by silence.
func TestFalseAndZeroAreNotLeftOut(t *testing.T) {
	read := func(value, age string) (client struct {
		Trusted, PKCE *bool
		Age           *int64
	}, problems Problems) {
		c := Config{}
		_, problems = decode([]byte("clients: [{client_id: a, trusted: "+value+", require_pkce: "+value+", default_max_age: "+age+"}]"), &c)
		client.Trusted, client.PKCE, client.Age = c.Clients[0].Trusted, c.Clients[0].RequirePKCE, c.Clients[0].DefaultMaxAge
		return client, problems
	}
	for value, want := range map[string]bool{"true": true, "false": false} {
		c, problems := read(value, "0")
		if len(problems) > 0 || c.Trusted == nil || *c.Trusted != want || c.PKCE == nil || *c.PKCE != want || c.Age == nil || *c.Age != 0 {
			t.Errorf("%s: %+v %v", value, c, problems)
		}
	}
	if c, problems := read("null", "null"); len(problems) > 0 || c.Trusted != nil || c.PKCE != nil || c.Age != nil {
		t.Errorf("null: %+v %v", c, problems)
	}
	if _, problems := read("perhaps", "soon"); len(problems) != 3 || problems[0].Text != "wants true or false" || problems[2].Text != "wants a number" {
		t.Errorf("nonsense: %v", problems)
	}
}
