//go:build interop

package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/krbtest/sambatest"
	"idp/internal/keytabplan"
	"idp/internal/keytabplan/plantest"
)

// planned is a plan that is being typed at the domain controller of the tests.
type planned struct {
	t      *testing.T
	domain *sambatest.Domain
	server *idptest.Server
	dir    string // where the admin of the domain works
	env    []string
}

const planSPN = "HTTP/plan.localhost"

func (p *planned) do(steps []keytabplan.Step) (printed string) {
	p.t.Helper()
	for _, s := range steps {
		out, err := plantest.Do(s, p.dir, p.env)
		must(p.t, err)
		printed += out
	}
	return printed
}

// plan asks idp for a plan, and sees that what it prints is what will be typed.
func (p *planned) plan(task keytabplan.Task) []keytabplan.Step {
	p.t.Helper()
	me, err := user.Current()
	must(p.t, err)
	config := filepath.Join(p.server.Dir, "idp.yaml")
	args := []string{"keytab", "plan", "--for", "samba", "--owner", me.Username, "--config", config}
	if flag := map[keytabplan.Task]string{keytabplan.RollOver: "--rollover", keytabplan.Refresh: "--refresh"}[task]; flag != "" {
		args = append(args, flag)
	}
	out, err := exec.Command(filepath.Join(set.Bin, "idp"), args...).Output()
	must(p.t, err)
	plans, err := keytabplan.New(keytabplan.Request{Host: "plan.localhost", Realm: p.domain.Name, Owner: me.Username,
		Keytab: filepath.Join(p.server.Dir, "plan.keytab"), Config: config}, "samba", task)
	must(p.t, err)
	for _, s := range plans[0].Steps {
		if text := strings.Join(s.Commands, "\n") + "\n"; !strings.Contains(string(out), text) {
			p.t.Fatalf("not printed:\n%s\nbut\n%s", text, out)
		}
	}
	return plans[0].Steps
}

// works sends a ticket and reports whether it logs in.
func (p *planned) works(ticket *krbtest.Ticket) bool {
	p.t.Helper()
	r := p.server.Program(p.t).Once("GET", "/login/negotiate", nil, map[string][]string{"Authorization": {idptest.Negotiate(p.t, ticket)}})
	return r.StatusCode == 303 && strings.HasSuffix(r.Header.Get("Location"), "/account")
}

func (p *planned) ticket() *krbtest.Ticket {
	p.t.Helper()
	ticket, err := p.domain.Ticket("planner", password, planSPN)
	must(p.t, err)
	return ticket
}

// The commands for Samba, typed as they are printed at a running domain
// controller while idp serves: account, SPN and keytab, then a new key.
func TestTheSambaPlanWorksAsPrinted(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "planner", Password: password}))
	p := &planned{t: t, domain: d, dir: t.TempDir()}
	p.server = idptest.Start(t, idptest.Options{Host: "plan.localhost", YAML: fmt.Sprintf("kerberos: {keytabs: [plan.keytab], krb5_conf: %s, realms: [{name: %s}]}\n", d.Krb5Conf, d.Name)})
	p.env = append(d.Env(), "SMB_CONF_PATH="+filepath.Join(d.Dir, "dc.conf"), "PATH="+set.Bin+":/usr/sbin:"+os.Getenv("PATH"))

	printed := p.do(p.plan(keytabplan.SetUp))
	if !strings.Contains(printed, planSPN+"@AD.TEST (aes256-cts-hmac-sha1-96)") || strings.Contains(printed, "arcfour") || !strings.Contains(printed, "is sound") {
		t.Errorf("klist and idp check: want AES only, and a sound configuration:\n%s", printed)
	}
	before := p.ticket()
	await(t, "the planned keytab opens a ticket", patience, func() bool { return p.works(before) })

	first, rest := plantest.Split(p.plan(keytabplan.RollOver))
	if len(rest) == 0 {
		t.Fatal("no step of the roll-over waits for the old tickets to end")
	}
	p.do(first)
	after := p.ticket()
	if after.Ticket.EncPart.KVNO <= before.Ticket.EncPart.KVNO {
		t.Fatalf("key version %d, want more than %d", after.Ticket.EncPart.KVNO, before.Ticket.EncPart.KVNO)
	}
	await(t, "a ticket of the new key works", patience, func() bool { return p.works(after) })
	if !p.works(before) {
		t.Errorf("a ticket of the old key: %s", lastReason(p.server))
	}
	p.do(rest)
	await(t, "a ticket of the old key works no more", patience, func() bool { return !p.works(before) })
	if !p.works(after) {
		t.Errorf("a ticket of the new key, after the old one has gone: %s", lastReason(p.server))
	}

	// Somebody sets the password, and nobody exports the key.
	cmd := exec.Command("samba-tool", "user", "setpassword", "idp-plan", "--random-password")
	cmd.Env, cmd.Dir = p.env, p.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	unexported := p.ticket()
	if p.works(unexported) {
		t.Fatal("a ticket of a key that nobody exported works")
	}
	p.do(p.plan(keytabplan.Refresh))
	await(t, "a ticket of the key that was refreshed works", patience, func() bool { return p.works(unexported) })
	if !p.works(after) {
		t.Errorf("a ticket of the key before, after the refresh: %s", lastReason(p.server))
	}
}
