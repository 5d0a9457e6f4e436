package server_test

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// layers of the packages, from the top: each may import those of lower layers
// only, so those of one layer never import each other. The failure prints the
// reason of the importing layer.
var layers = []layer{
	{[]string{"idp/cmd/idp"}, "it is the top"},
	{[]string{"idp/internal/command/user", "idp/internal/command/client"}, "commands are typed alone: none knows another"},
	{[]string{"idp/internal/command"}, "what commands share knows none of them"},
	{[]string{"idp/internal/server"}, "the assembly is known to nobody but the commands"},
	{[]string{"idp/internal/config"}, "it only collects what the packages declare, for the assembly"},
	{[]string{"idp/internal/login", "idp/internal/oidc", "idp/internal/account", "idp/internal/setup", "idp/internal/forwardauth"}, "the HTTP packages meet in the login request row and a redirect"},
	{[]string{"idp/internal/oidc/backchannel"}, "relying parties are told of ended sessions beside all requests: no endpoint knows it"},
	{[]string{"idp/internal/oidc/grant", "idp/internal/oidc/device", "idp/internal/oidc/signout"}, "grants, devices and sign-outs are answered beside logins, by what these use too, and know neither them nor each other"},
	{[]string{"idp/internal/oidc/pushed"}, "parameters are kept for whoever comes back for them"},
	{[]string{"idp/internal/oidc/authreq"}, "a request is judged by itself: it knows neither the endpoint it came to nor the database"},
	{[]string{"idp/internal/oidc/standing"}, "what a grant is still worth is told to endpoints, which it does not know"},
	{[]string{"idp/internal/oidc/tokens", "idp/internal/oidc/clientauth"}, "tokens are made and read, and clients recognised, for the endpoints, which they do not know"},
	{[]string{"idp/internal/oidc/clients"}, "what a registration allows is asked by those who answer relying parties, which it does not know"},
	{[]string{"idp/internal/forwardauth/sites"}, "what the configuration says of sites is known before anybody asks"},
	{[]string{"idp/internal/visitor"}, "it speaks for all who answer, and knows none of them"},
	{[]string{"idp/internal/authn", "idp/internal/session", "idp/internal/factor", "idp/internal/upstream", "idp/internal/doctor"}, "who somebody is, and their browser's cookies, and what is wrong with an installation, know neither pages nor the protocol nor each other"},
	{[]string{"idp/internal/policy"}, "what has to be shown is known before anybody shows it"},
	{[]string{"idp/internal/doctor/realm", "idp/internal/doctor/site"}, "the Kerberos side and protected sites are looked at by themselves"},
	{[]string{"idp/internal/exchange"}, "it is a program that uses idp, and knows no more of it than others do"},
	{[]string{"idp/internal/user", "idp/internal/keys", "idp/internal/directory", "idp/internal/mail"}, "the domain knows nothing of logging in"},
	{[]string{"idp/internal/store"}, "the database knows no rules but its own"},
	{[]string{"idp/internal/store/database"}, "how statements are run knows no table"},
	{[]string{"idp/internal/oidc/wire"}, "how the protocol is written knows nothing of clients, users and rows"},
	{[]string{"idp/internal/kerberos", "idp/internal/kerberos/ticket", "idp/internal/web", "idp/internal/audit", "idp/internal/oidc/proof"}, "it is a leaf: what it needs it gets as a parameter"},
	{[]string{"idp/internal/kerberos/spnego", "idp/internal/kerberos/keytab", "idp/internal/kerberos/pac", "idp/internal/kerberos/kdc"}, "tokens and PACs are read, keys kept and KDCs asked for whoever judges, not by them"},
	{[]string{"idp/internal/kerberos/wire"}, "what Kerberos sends is read and written here, not judged"},
	{[]string{"idp/internal/secret", "idp/internal/fetch", "idp/internal/reason", "idp/internal/metrics", "idp/internal/browserpolicy", "idp/internal/useragent", "idp/internal/doctor/report", "idp/internal/doctor/look", "idp/internal/keytabplan", "idp/internal/user/common", "idp/migrations", "idp/web/static", "idp/web/templates"}, "it needs nothing of idp"},
}

type layer struct {
	packages []string
	reason   string
}

func layerOf(path string) int {
	return slices.IndexFunc(layers, func(l layer) bool { return slices.Contains(l.packages, path) })
}

// testCode runs in tests only, or beside idp.
var testCode = []string{
	"idp/internal/freeport",
	"idp/internal/command/commandtest",
	"idp/internal/doctor/dnstest",
	"idp/internal/factor/factortest",
	"idp/internal/keytabplan/plantest",
	"idp/internal/directory/ldaptest",
	"idp/internal/kerberos/krbtest",
	"idp/internal/store/storetest",
	"idp/internal/keys/keystest",
	"idp/internal/mail/mailtest",
	"idp/internal/oidc/rptest",
	"idp/internal/idptest",
	"idp/examples",
	"idp/interop",
}

// forbidden imports, each with the reason that the failure prints. A package
// matches by prefix; only its own imports count, not those of its tests.
var forbidden = []struct{ from, to, reason string }{
	{"idp/internal/authn", "net/http", "a credential in, a user or a reason out: authenticators never write an answer"},
	{"idp/internal/policy", "net/http", "what has to be shown is judged without HTTP"},
	{"idp/internal/kerberos", "net/http", "Kerberos is judged without HTTP"},
	{"idp/internal/store", "net/http", "the database knows no HTTP"},
	{"idp/internal/user", "net/http", "the domain knows no HTTP"},
	{"idp/internal/keys", "net/http", "the domain knows no HTTP"},
	{"idp/internal/factor", "net/http", "a code in, a factor or a reason out: who answers is another's business"},
	{"idp/internal/directory", "net/http", "the domain knows no HTTP"},
	{"idp/internal/oidc/proof", "net/http", "what clients sign is judged without HTTP"},
}

// only says which packages alone may import a dependency.
var only = []struct {
	dependency string
	allowed    []string
	reason     string
}{
	{"database/sql", []string{"idp/internal/store/database"}, "how statements are run is seen in one place"},
	{"github.com/jackc/pgx/v5", []string{"idp/internal/store/database"}, "the drivers are behind it"},
	{"modernc.org/sqlite", []string{"idp/internal/store/database"}, "the drivers are behind it"},
	{"github.com/jcmturner/gokrb5/v8", []string{"idp/internal/kerberos"}, "its holes are closed in one place"},
	{"github.com/zitadel/oidc/v3", []string{"idp/internal/oidc"}, "protocol types stay inside the provider"},
	{"github.com/coreos/go-oidc/v3", []string{"idp/internal/upstream", "idp/examples"}, "it is the relying party, never the provider"},
	{"github.com/wneessen/go-mail", []string{"idp/internal/mail"}, "mail is sent from one place"},
	{"github.com/go-ldap/ldap/v3", []string{"idp/internal/directory"}, "what goes into a filter is escaped in one place"},
	{"github.com/go-asn1-ber/asn1-ber", []string{"idp/internal/directory"}, "it reads LDAP, and nothing else does"},
	{"github.com/gorilla/sessions", []string{"idp/internal/session"}, "cookies are made in one place"},
	{"github.com/prometheus", []string{"idp/internal/metrics"}, "what is counted, and with which labels, is seen in one place"},
	{"idp/internal/store/database", []string{"idp/internal/store", "idp/internal/doctor"}, "all SQL is in store; doctor looks at the schema"},
	{"idp/internal/config", []string{"idp/internal/server", "idp/internal/idptest", "idp/internal/command", "idp/cmd/idp", "idp/examples"}, "packages get their own Config, not the file"},
	{"idp/internal/web", []string{"idp/internal/login", "idp/internal/oidc", "idp/internal/account", "idp/internal/setup", "idp/internal/forwardauth", "idp/internal/session", "idp/internal/visitor", "idp/internal/server"}, "only these answer HTTP"},
	{"idp/internal/kerberos", []string{"idp/internal/directory/ldaptest", "idp/internal/authn", "idp/internal/login", "idp/internal/setup", "idp/internal/config", "idp/internal/doctor", "idp/internal/server", "idp/internal/exchange", "idp/cmd/idp", "idp/internal/idptest", "idp/examples"}, "tickets are judged by those who log people in, and shown by the command line; doctor looks at the keys"},
	{"idp/internal/kerberos/krbtest", []string{"idp/internal/idptest", "idp/internal/kerberos", "idp/internal/directory/ldaptest", "idp/examples"}, "a throw-away realm is for tests and the demo"},
	{"idp/internal/freeport", []string{"idp/internal/command/commandtest", "idp/internal/kerberos/krbtest", "idp/internal/directory/ldaptest", "idp/examples"}, "idp itself is told its port, or takes the kernel's"},
	{"idp/internal/idptest", []string{"idp/internal/command/commandtest"}, "it is for tests"},
}

// libraries of the protocols whose dangerous packages nobody may import.
var never = map[string]string{
	"github.com/jcmturner/gokrb5/v8/spnego":  "panics on short tokens, trusts the realm the client wrote",
	"github.com/jcmturner/gokrb5/v8/service": "realm spoofing, replay cache per process",
	"github.com/jcmturner/gokrb5/v8/client":  "no deadlines; its Basic helper believes any KDC",
	"github.com/jcmturner/gokrb5/v8/pac":     "crashes before it checks the signature",
	"github.com/zitadel/oidc/v3/pkg/op":      "codes redeemable twice, browsers not bound",
}

func imports(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "idp/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all[p.ImportPath] = p.Imports
	}
	if len(all["idp/internal/server"]) == 0 {
		t.Fatal("go list shows no imports of idp/internal/server: this test would pass with anything")
	}
	return all
}

func under(path, prefix string) bool { return path == prefix || strings.HasPrefix(path, prefix+"/") }

func TestWhoMayImportWhom(t *testing.T) {
	t.Parallel()
	for from, list := range imports(t) {
		test, at := allowed(from, testCode), layerOf(from)
		if at < 0 && !test && under(from, "idp") {
			t.Errorf("%s is in no layer: give it one", from)
		}
		for _, to := range list {
			if below := layerOf(to); !test && at >= 0 && below >= 0 && below <= at {
				t.Errorf("%s imports %s: %s", from, to, layers[at].reason)
			}
			for _, f := range forbidden {
				if under(from, f.from) && under(to, f.to) && !test {
					t.Errorf("%s imports %s: %s", from, to, f.reason)
				}
			}
			for _, o := range only {
				if under(to, o.dependency) && !under(from, o.dependency) && !allowed(from, o.allowed) {
					t.Errorf("%s imports %s: %s", from, to, o.reason)
				}
			}
			if reason, bad := never[to]; bad && !test {
				t.Errorf("%s imports %s: %s", from, to, reason)
			}
		}
	}
}

func allowed(from string, list []string) bool {
	for _, a := range list {
		if under(from, a) {
			return true
		}
	}
	return false
}
