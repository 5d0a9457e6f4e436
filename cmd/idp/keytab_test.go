package main

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"idp/internal/kerberos/krbtest"
	"idp/internal/keytabplan"
	"idp/internal/keytabplan/plantest"
)

// planned is a server whose issuer is http://localhost, and the folder of a KDC.
type planned struct {
	*place
	realm *krbtest.Realm
	kdc   string // where the admin of the KDC works
	owner string
}

func newPlanned(t *testing.T) *planned {
	t.Helper()
	realm := krbtest.Start(t, krbtest.Options{Services: []string{}}) // the plan makes them
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	p := &planned{place: newPlace(t, ""), realm: realm, kdc: t.TempDir(), owner: me.Username}
	addr := strings.TrimPrefix(p.URL, "http://")
	_, port, _ := strings.Cut(addr, ":")
	p.Write("idp.yaml", fmt.Sprintf("issuer: http://localhost:%s\nlisten: %s\nkerberos: {keytabs: [\"it's the http.keytab\"], krb5_conf: %q, realms: [{name: %s}]}\n", port, addr, realm.Krb5Conf, realm.Name))
	return p
}

// plan prints it, and returns its steps: what is printed must be what is run.
func (p *planned) plan(task keytabplan.Task) []keytabplan.Step {
	p.T.Helper()
	args := []string{"keytab", "plan", "--for", "mit", "--owner", p.owner}
	if flag := map[keytabplan.Task]string{keytabplan.RollOver: "--rollover", keytabplan.Refresh: "--refresh"}[task]; flag != "" {
		args = append(args, flag)
	}
	out := p.MustRun("", args...)
	plans, err := keytabplan.New(keytabplan.Request{Host: "localhost", Realm: p.realm.Name, Owner: p.owner,
		Keytab: filepath.Join(p.Dir, "it's the http.keytab"), Config: filepath.Join(p.Dir, "idp.yaml")}, "mit", task)
	if err != nil {
		p.T.Fatal(err)
	}
	var printed, want []string
	for line := range strings.Lines(out) {
		if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, "#") {
			printed = append(printed, line)
		}
	}
	for _, s := range plans[0].Steps {
		want = append(want, s.Commands...)
	}
	if !slices.Equal(printed, want) {
		p.T.Fatalf("printed commands:\n%s\nwant\n%s", strings.Join(printed, "\n"), strings.Join(want, "\n"))
	}
	return plans[0].Steps
}

// do types one step where the admin works.
func (p *planned) do(s keytabplan.Step) string {
	p.T.Helper()
	out, err := plantest.Do(s, p.kdc, append(p.realm.Env(), "PATH="+filepath.Dir(p.Command().Path)+":/usr/sbin:"+os.Getenv("PATH")))
	if err != nil {
		p.T.Fatal(err)
	}
	return out
}

func (p *planned) ticket() *krbtest.Ticket {
	p.T.Helper()
	ticket, err := p.realm.Ticket("alice", krbtest.AlicePassword, "HTTP/localhost")
	if err != nil {
		p.T.Fatal(err)
	}
	return ticket
}

// login sends a ticket and reports whether it logs in.
func (p *planned) login(ticket *krbtest.Ticket) bool {
	p.T.Helper()
	token, err := ticket.Token()
	if err != nil {
		p.T.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, p.URL+"/login/negotiate", nil)
	if err != nil {
		p.T.Fatal(err)
	}
	req.Header.Set("Authorization", "Negotiate "+base64.StdEncoding.EncodeToString(token))
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		p.T.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusSeeOther && strings.HasSuffix(resp.Header.Get("Location"), "/account")
}

// await waits until the server has seen the new keytab.
func (p *planned) await(what string, ticket *krbtest.Ticket, want bool) {
	p.T.Helper()
	for deadline := time.Now().Add(time.Minute); p.login(ticket) != want; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.T.Fatalf("%s: logging in is %v after a minute, want %v", what, !want, want)
		}
	}
}

// The commands as they are printed, on a real KDC, while the server runs: no
// restart, and whoever has a ticket notices nothing.
func TestTheMITPlanWorksAsPrinted(t *testing.T) {
	p := newPlanned(t)
	p.Serve()
	listed := ""
	for _, s := range p.plan(keytabplan.SetUp) {
		listed += p.do(s)
	}
	for _, want := range []string{"1 ", "HTTP/localhost@EXAMPLE.TEST", "aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "is sound"} {
		if !strings.Contains(listed, want) {
			t.Errorf("klist and idp check do not show %q:\n%s", want, listed)
		}
	}
	if strings.Contains(listed, "warning") {
		t.Errorf("idp check warns:\n%s", listed)
	}
	if info, err := os.Stat(filepath.Join(p.Dir, "it's the http.keytab")); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("the keytab's mode: %v %v, want 0400", info, err)
	}
	before := p.ticket()
	p.await("after the set-up", before, true)

	first, rest := plantest.Split(p.plan(keytabplan.RollOver))
	if len(rest) == 0 {
		t.Fatal("no step of the roll-over waits for the old tickets to end")
	}
	for _, s := range first {
		p.do(s)
	}
	after := p.ticket()
	if have, had := after.Ticket.EncPart.KVNO, before.Ticket.EncPart.KVNO; have != had+1 {
		t.Fatalf("key version %d, want one more than %d", have, had)
	}
	p.await("a new ticket after the roll-over", after, true)
	p.await("an old ticket after the roll-over", before, true)

	for _, s := range rest {
		p.do(s)
	}
	p.await("an old ticket after its key has gone", before, false)
	p.await("a new ticket after the old key has gone", after, true)
}

// Somebody made the service a new key, without -keepold and without exporting it:
// the KDC has lost the old one, and people still have tickets made with it. The
// refresh, and a roll-over that follows at once, keep them working.
func TestARefreshAfterAKeyThatNobodyExported(t *testing.T) {
	p := newPlanned(t)
	for _, s := range p.plan(keytabplan.SetUp) {
		p.do(s)
	}
	p.Serve()
	before := p.ticket()
	p.await("the first key", before, true)
	if err := p.realm.Kadmin("cpw -randkey HTTP/localhost\n"); err != nil {
		t.Fatal(err)
	}
	after := p.ticket()
	p.await("a key that nobody exported", after, false)
	for _, s := range p.plan(keytabplan.Refresh) {
		p.do(s)
	}
	p.await("a new ticket after the refresh", after, true)
	p.await("an old ticket after the refresh", before, true)
	first, _ := plantest.Split(p.plan(keytabplan.RollOver))
	for _, s := range first {
		p.do(s)
	}
	rolled := p.ticket()
	if rolled.Ticket.EncPart.KVNO != after.Ticket.EncPart.KVNO+1 {
		t.Fatalf("key version %d after the roll-over, want one more than %d", rolled.Ticket.EncPart.KVNO, after.Ticket.EncPart.KVNO)
	}
	p.await("a ticket of the third key", rolled, true)
	for what, ticket := range map[string]*krbtest.Ticket{"first": before, "second": after} {
		p.await("after the roll-over, a ticket of the "+what+" key", ticket, true)
	}
	for _, left := range []string{".new", ".add"} {
		if _, err := os.Stat(filepath.Join(p.Dir, "it's the http.keytab"+left)); err == nil {
			t.Errorf("a keytab is left over: %s", left)
		}
	}
}

// The plan needs nothing but the issuer and what it prints.
func TestPlanAndPolicyBeforeTheirFilesAreThere(t *testing.T) {
	p := newPlace(t, "")
	p.Write("idp.yaml", "issuer: https://sso.example.com\ntls: {certificate: sso.crt, key: sso.key}\nkerberos: {realms: [{name: EXAMPLE.COM}]}\n"+
		"clients: [{client_id: wiki, client_secret_file: wiki.secret, redirect_uris: [\"https://wiki.example.com/cb\"]}]\n")
	for _, args := range [][]string{{"keytab", "plan"}, {"browser-policy"}} {
		out, errs, err := p.Run("", args...)
		if err != nil || !strings.Contains(out, "sso.example.com") {
			t.Errorf("%v: %v\n%s%s", args, err, out, errs)
		}
		for _, want := range []string{"warning: idp.yaml:2: tls.certificate: ", "wiki.secret", "not needed here"} {
			if !strings.Contains(errs, want) {
				t.Errorf("%v does not warn of %q:\n%s", args, want, errs)
			}
		}
	}
	p.Write("idp.yaml", "issuer: sso.example.com\ntls: {certificate: sso.crt, key: sso.key}\n")
	if out, errs, err := p.Run("", "keytab", "plan", "--realm", "EXAMPLE.COM"); err == nil || out != "" || !strings.Contains(errs, "idp.yaml:1: issuer: ") {
		t.Errorf("an issuer that is none: %v\n%s%s", err, out, errs)
	}
	p.Write("idp.yaml", "issuer: [\n")
	if out, _, err := p.Run("", "browser-policy"); err == nil || out != "" {
		t.Errorf("no YAML: %v\n%s", err, out)
	}
}

func TestKeytabPlanRefusesWhatHasNoSPN(t *testing.T) {
	address := newPlace(t, "kerberos: {realms: [{name: EXAMPLE.COM}]}\n") // its issuer is http://127.0.0.1
	if _, errs, err := address.Run("", "keytab", "plan"); err == nil || !strings.Contains(errs, "names only") {
		t.Errorf("an address: %v %s", err, errs)
	}
	p := newPlanned(t)
	for _, c := range []struct{ want, args string }{
		{"unknown directory", "--for windows"},
		{"no realm name", "--realm EXAMPLE.COM;reboot"},
		{"no host name", "--also https://sso.example.com"},
		{"no host name", "--also sso.example.com:8443"},
		{"no user name", "--owner $(id)"},
		{"no account name", "--account a-name-of-more-than-twenty"},
	} {
		if _, errs, err := p.Run("", append([]string{"keytab", "plan"}, strings.Fields(c.args)...)...); err == nil || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %v %s", c.args, err, errs)
		}
	}
	p.Write("idp.yaml", "issuer: http://localhost:8080\n")
	if _, errs, err := p.Run("", "keytab", "plan"); err == nil || !strings.Contains(errs, "--realm") {
		t.Errorf("no realm: %v %s", err, errs)
	}
	out := p.MustRun("", "keytab", "plan", "--realm", "EXAMPLE.COM", "--also", "SSO.example.com")
	for _, want := range []string{"HTTP/localhost", "HTTP/sso.example.com@EXAMPLE.COM", "own localhost", "Not tried by us", "Tried: our tests"} {
		if !strings.Contains(out, want) {
			t.Errorf("the plan does not say %q", want)
		}
	}
}

// What a roll-over on Windows leaves to idp's host: the two versions are put into
// one file, and later the new one stays alone.
func TestTheLinuxPartOfARollOverOnWindows(t *testing.T) {
	p := newPlanned(t)
	keytab := filepath.Join(p.Dir, "it's the http.keytab")
	const spn = "HTTP/localhost"
	for _, err := range []error{p.realm.Kadmin("addprinc -randkey " + spn + "\n"), p.realm.ExportKeytab(keytab, spn)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	p.Serve()
	before := p.ticket()
	for _, err := range []error{p.realm.Kadmin("cpw -randkey " + spn + "\n"), p.realm.ExportKeytab(keytab+".add", spn)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	after := p.ticket()
	plans, err := keytabplan.New(keytabplan.Request{Host: "localhost", Realm: p.realm.Name, Owner: p.owner, Keytab: keytab}, "ad", keytabplan.RollOver)
	if err != nil {
		t.Fatal(err)
	}
	first, rest := plantest.Split(plans[0].Steps)
	for _, s := range first {
		if strings.HasPrefix(string(s.Where), "On the host of idp, as root") {
			p.do(s)
		}
	}
	p.await("the new version is there", after, true)
	p.await("the old version is there", before, true)
	for _, s := range rest {
		p.do(s)
	}
	p.await("the old version has gone", before, false)
	p.await("the new version stays", after, true)
}
