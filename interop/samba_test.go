//go:build interop

package interop_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/krbtest/sambatest"
)

// lockOut is after how many wrong passwords the domain locks an account.
const lockOut = 5

// theDomain is made once, by the first test that needs it, and shared: every
// test has people of its own.
var theDomain struct {
	once sync.Once
	dir  string
	*sambatest.Domain
	err error
}

func domain(t *testing.T) *sambatest.Domain {
	t.Helper()
	d := &theDomain
	d.once.Do(func() {
		if d.dir, d.err = os.MkdirTemp("", "idp-samba-"); d.err != nil {
			return
		}
		if d.Domain, d.err = sambatest.New(d.dir); d.err == nil {
			d.err = d.LockOut(lockOut)
		}
	})
	if d.err != nil {
		t.Fatal(d.err)
	}
	return d.Domain
}

func stopDomain() {
	if theDomain.Domain != nil {
		theDomain.Stop()
	}
	if theDomain.dir != "" {
		_ = os.RemoveAll(theDomain.dir)
	}
}

// domainServer is a server that trusts the domain; groups are SIDs and what idp
// calls them.
func domainServer(t *testing.T, d *sambatest.Domain, keytab string, groups map[string]string) *idptest.Server {
	t.Helper()
	var names strings.Builder
	for _, sid := range slices.Sorted(maps.Keys(groups)) {
		fmt.Fprintf(&names, "%s: %s, ", sid, groups[sid])
	}
	return idptest.Start(t, idptest.Options{YAML: domainYAML(d, keytab, fmt.Sprintf("groups: {%s}", strings.TrimSuffix(names.String(), ", ")))})
}

// domainYAML is the kerberos section for the domain, with more about its realm.
func domainYAML(d *sambatest.Domain, keytab, realm string) string {
	return fmt.Sprintf("kerberos:\n  keytabs: [%s]\n  krb5_conf: %s\n  realms: [{name: %s, %s}]\n", keytab, d.Krb5Conf, d.Name, realm)
}

func domainTicket(t *testing.T, d *sambatest.Domain, name string) *krbtest.Ticket {
	t.Helper()
	ticket, err := d.Ticket(name, password, sambatest.Service)
	must(t, err)
	return ticket
}

// A ticket of Active Directory tells name, full name, and the groups that the
// configuration names, also those reached through others and domain-local ones.
func TestDomainTicketTellsNamesAndGroups(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "Alice", Password: password, Given: "Alice", Family: "Liddell"}),
		d.AddGroup("team", sambatest.Global, "Alice"),
		d.AddGroup("department", sambatest.Universal, "team"),
		d.AddGroup("printers", sambatest.DomainLocal, "department"),
		d.AddGroup("unnamed", sambatest.Global, "Alice"),
		d.AddGroup("strangers", sambatest.Global))
	groups := map[string]string{}
	for _, g := range []string{"team", "department", "printers", "strangers"} {
		sid, err := d.SID(g)
		must(t, err)
		groups[sid] = g
	}
	s := domainServer(t, d, d.Keytab, groups)
	want := person{Name: "alice", FullName: "Alice Liddell", Groups: []string{"department", "printers", "team"}, method: []string{"wia"}}
	got := byTicket(t, s, domainTicket(t, d, "Alice"))
	sub := got.Sub
	got.Sub = ""
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(person{})); diff != "" {
		t.Errorf("by ticket (-want +got):\n%s", diff)
	}
	got = by(t, s, idptest.Basic("ALICE", password))
	want.Sub, want.method = sub, []string{"pwd"}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(person{})); diff != "" {
		t.Errorf("by password, the same person (-want +got):\n%s", diff)
	}
}

// curl, and requests-kerberos, which demands that the server prove itself, with a
// ticket of the domain.
func TestDomainTicketWithMutualAuthentication(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "mutual", Password: password}))
	s := domainServer(t, d, d.Keytab, nil)
	ccache, err := d.Kinit("mutual", password)
	must(t, err)
	var got answers
	pythonOf(t, &d.Client, "requests_kerberos_login.py", ccache, &got, s.Issuer+"/login/negotiate")
	if len(got) != 1 || got[0].Status != 303 || !got[0].Server {
		t.Errorf("got %+v, want one verified 303", got)
	}
	u := s.Issuer + "/login/negotiate"
	curl := exec.CommandContext(t.Context(), "curl", "-sS", "--negotiate", "-u", ":", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}",
		"--resolve", strings.TrimPrefix(s.Issuer, "http://")+":127.0.0.1", u)
	curl.Env = append(d.Env(), "KRB5CCNAME="+ccache)
	if out, err := curl.CombinedOutput(); err != nil || string(out) != "303 "+s.Issuer+"/account" {
		t.Errorf("curl --negotiate: %q, %v, want a 303 to /account", out, err)
	}
}

// Who logs on by UPN, as one may on Windows, gets a ticket in the account's name.
func TestATicketGotByUPNIsTheAccounts(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "olga", Password: password, UPN: "olga.knipper@ad.test"}))
	s := domainServer(t, d, d.Keytab, nil)
	ccache, err := d.Kinit("olga.knipper", password, "-C")
	must(t, err)
	var got answers
	pythonOf(t, &d.Client, "requests_kerberos_login.py", ccache, &got, s.Issuer+"/login/negotiate")
	if len(got) != 1 || got[0].Status != 303 || s.User("olga").ID == "" {
		t.Errorf("got %+v, want olga logged in", got)
	}
}

// After a wedding the logon name is another, the person is the same.
func TestRenamedAccountStaysTheSameUser(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "carla.old", Password: password}))
	s := domainServer(t, d, d.Keytab, nil)
	before := byTicket(t, s, domainTicket(t, d, "carla.old"))
	must(t, d.Rename("carla.old", "carla.new"))
	if now := byTicket(t, s, domainTicket(t, d, "carla.new")); now.Sub != before.Sub || now.Name != before.Name {
		t.Errorf("by ticket: %+v, want the same as %+v", now, before)
	}
	if now := by(t, s, idptest.Basic("carla.new", password)); now.Sub != before.Sub {
		t.Errorf("by password: %+v, want the same as %+v", now, before)
	}
}

// A name that is given to another person does not give them the old one's user.
func TestRecreatedAccountIsNotTheOldUser(t *testing.T) {
	d := domain(t)
	dan := sambatest.User{Name: "dan", Password: password}
	must(t, d.AddUser(dan))
	s := domainServer(t, d, d.Keytab, nil)
	before := byTicket(t, s, domainTicket(t, d, "dan"))
	must(t, d.Delete("dan"), d.AddUser(dan))
	refused(t, s, idptest.Negotiate(t, domainTicket(t, d, "dan")), "NAME_TAKEN")
	refused(t, s, idptest.Basic("dan", password), "NAME_TAKEN")
	if u := s.User("dan"); u.ID == "" || before.Sub == "" {
		t.Error("the old user is gone")
	}
}

// An account that takes no AES, as old ones do: refused, and named as what it is.
func TestRC4TicketAndKeytabAreReportedByName(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "erin", Password: password}),
		d.AddService("http-old", "HTTP/old.localhost"), d.SetEnctypes("http-old", sambatest.RC4))
	keytab := d.Dir + "/old.keytab"
	must(t, d.ExportKeytab(keytab, "HTTP/old.localhost"))
	ticket, err := d.Kvno("erin", password, "HTTP/old.localhost@"+d.Name)
	must(t, err)
	if ticket.Ticket.EncPart.EType != 23 {
		t.Fatalf("the ticket is sealed with etype %d, want 23 (RC4)", ticket.Ticket.EncPart.EType)
	}
	refused(t, domainServer(t, d, d.Keytab, nil), idptest.Negotiate(t, ticket), "ETYPE_NOT_ALLOWED")
	s := domainServer(t, d, keytab, nil)
	p := s.Browser(t).Get(idptest.Wiki().URL())
	if p.Request.URL.Path != "/login" {
		t.Errorf("with an RC4-only keytab a login begins at %s, want the form", p.Request.URL.Path)
	}
	if len(s.Log.Lines("ETYPE_NOT_ALLOWED", "rc4-hmac")) == 0 {
		t.Errorf("no log line says ETYPE_NOT_ALLOWED and rc4-hmac:\n%s", s.Log)
	}
	allowed := idptest.Start(t, idptest.Options{YAML: domainYAML(d, keytab, "") + "  allow_rc4: true\n"})
	if who := byTicket(t, allowed, ticket); who.Name != "erin" {
		t.Errorf("with allow_rc4: %+v, want erin", who)
	}
}

// Each state of an account has its reason in the log, by form and by prompt.
func TestDomainPasswordsHaveTheirReasons(t *testing.T) {
	d := domain(t)
	for _, name := range []string{"fine", "disabled", "expired", "ended", "locked"} {
		must(t, d.AddUser(sambatest.User{Name: name, Password: password}))
	}
	must(t, d.Disable("disabled"), d.ExpirePassword("expired"), d.ExpireAccount("ended"))
	for range lockOut {
		if _, err := d.Kinit("locked", "Wrong-guess-1"); err == nil {
			t.Fatal("kinit with a wrong password succeeded")
		}
	}
	s := domainServer(t, d, d.Keytab, nil)
	if who := by(t, s, idptest.Basic("fine", password)); who.Name != "fine" {
		t.Errorf("the right password: %+v", who)
	}
	// Two passwords, since a wrong one that comes again is answered from memory.
	for _, c := range []struct{ name, atPrompt, inForm, reason string }{
		{"fine", "Wrong-guess-1", "Wrong-guess-2", "BAD_PASSWORD"},
		{"nobody", password, "Wrong-guess-2", "CLIENT_UNKNOWN"},
		{"disabled", password, password, "ACCOUNT_DISABLED"},
		{"disabled", "Wrong-guess-1", "Wrong-guess-2", "BAD_PASSWORD"},
		{"expired", password, password, "PASSWORD_EXPIRED"},
		{"ended", password, password, "ACCOUNT_EXPIRED"},
		{"locked", password, "Wrong-guess-1", "ACCOUNT_LOCKED"},
	} {
		t.Run(c.name+" "+c.reason, func(t *testing.T) {
			refused(t, s, idptest.Basic(c.name, c.atPrompt), c.reason)
			refusedForm(t, s, c.name, c.inForm, c.reason)
		})
	}
}

// However the name is written, idp stops asking before the domain locks the
// account, so that a stranger cannot lock a colleague out through us.
func TestTheDomainsLockOutIsNeverReachedThroughUs(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "frank", Password: password}))
	s := domainServer(t, d, d.Keytab, nil)
	for i, spelling := range []string{"frank", "Frank", "FRANK@AD.TEST", `AD\frank`, "frank@ad.test", `ad.test\FRANK`, "frank"} {
		s.Program(t).GetWith("/login/negotiate", idptest.Basic(spelling, fmt.Sprint("Wrong-guess-", i)))
	}
	n, err := d.BadPasswords("frank")
	must(t, err)
	if n == 0 || n >= lockOut {
		t.Errorf("the domain counts %d wrong passwords, want some, and fewer than %d", n, lockOut)
	}
	if _, err := d.Kinit("frank", password); err != nil {
		t.Errorf("frank himself, at his own desk: %v", err)
	}
}
