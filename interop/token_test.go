//go:build interop

package interop_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/krbtest/sambatest"
)

const ledgerURI = "https://ledger.example.com"

const ticketClient = `  - client_id: idp-cli
    token_endpoint_auth_method: none
    grant_types: ["urn:ietf:params:oauth:grant-type:token-exchange"]
    scope: openid profile read
    ticket_exchange: [` + ledgerURI + `]
`

// ticketServer is a server that gives tokens for tickets.
func ticketServer(t *testing.T, kerberosYAML string) *idptest.Server {
	t.Helper()
	return idptest.Start(t, idptest.Options{Clients: ticketClient, YAML: kerberosYAML + "resources: [{uri: " + ledgerURI + "}]\n"})
}

// idpToken runs idp token as on a machine with this krb5.conf and cache.
func idpToken(t *testing.T, s *idptest.Server, krb5Conf, cache string) (stdout, stderr string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(set.Bin, "idp"), "token", "--issuer", s.Issuer, "--audience", ledgerURI)
	cmd.Env = append(os.Environ(), "KRB5_CONFIG="+krb5Conf, "KRB5CCNAME="+cache)
	cmd.Dir = t.TempDir()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// whoseToken is preferred_username of the token that idp token prints.
func whoseToken(t *testing.T, s *idptest.Server, krb5Conf, cache string) string {
	t.Helper()
	out, errs, err := idpToken(t, s, krb5Conf, cache)
	parts := strings.Split(strings.TrimSpace(out), ".")
	if err != nil || len(parts) != 3 {
		t.Fatalf("idp token with %q: %v\n%s%s", cache, err, out, errs)
	}
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	var claims struct {
		Audience any    `json:"aud"`
		Name     string `json:"preferred_username"`
	}
	must(t, json.Unmarshal(body, &claims))
	if fmt.Sprint(claims.Audience) != ledgerURI && fmt.Sprint(claims.Audience) != "["+ledgerURI+"]" {
		t.Errorf("the token is for %v", claims.Audience)
	}
	return claims.Name
}

// startKCM runs sssd-kcm, which has its folders compiled in: so in a mount namespace of
// its own, as root or as who may be it in a user namespace of their own.
func startKCM(t *testing.T) (socket string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "idp-kcm-") // a socket's path is short
	must(t, err)
	socket = filepath.Join(dir, "socket")
	conf := fmt.Sprintf("[sssd]\nconfig_file_version = 2\n[kcm]\nsocket_path = %s\nccache_storage = memory\n", socket)
	must(t, os.WriteFile(filepath.Join(dir, "sssd.conf"), []byte(conf), 0o600))
	const script = `set -e
mkdir -p "$0/sss/db" "$0/log"
mount --bind "$0/sss" /var/lib/sss
mount --bind "$0/log" /var/log/sssd
/usr/sbin/sssd -c "$0/sssd.conf" --genconf-section=kcm
exec /usr/libexec/sssd/sssd_kcm --uid 0 --gid 0 --logger=stderr`
	args := []string{"--mount", "bash", "-c", script, dir}
	if os.Getuid() != 0 {
		args = append([]string{"--map-root-user"}, args...)
	}
	cmd := exec.Command("unshare", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log idptest.Log
	cmd.Stdout, cmd.Stderr = io.Discard, &log
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-ended; _ = os.RemoveAll(dir) })
	for started := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return socket
		}
		select {
		case <-ended:
			t.Fatalf("sssd_kcm has ended (Debian: sssd-kcm):\n%s", &log)
		default:
		}
		if time.Since(started) > time.Minute {
			t.Fatalf("sssd_kcm does not listen after a minute:\n%s", &log)
		}
	}
}

// The default of Red Hat's systems: tickets are kept by sssd-kcm, whose default cache
// is that of the last kinit, or of kswitch.
func TestTokenByATicketInKCM(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{Users: map[string]string{"alice": krbtest.AlicePassword, "carla": "carla-password"}})
	s := ticketServer(t, idptest.KerberosYAML(r))
	text, err := os.ReadFile(r.Krb5Conf)
	must(t, err)
	added := "[libdefaults]\n    kcm_socket = " + startKCM(t) + "\n    default_ccache_name = KCM:"
	machine := &krbtest.Client{Name: r.Name, Dir: t.TempDir(), Krb5Conf: filepath.Join(t.TempDir(), "krb5.conf")}
	must(t, os.WriteFile(machine.Krb5Conf, []byte(strings.Replace(string(text), "[libdefaults]", added, 1)), 0o600))

	if _, errs, err := idpToken(t, s, machine.Krb5Conf, ""); err == nil || !strings.Contains(errs, "there is no ticket") || !strings.Contains(errs, "kinit") {
		t.Errorf("before kinit: %v %s", err, errs)
	}
	must(t, machine.KinitTo("KCM:", "alice", krbtest.AlicePassword), machine.KinitTo("KCM:", "carla", "carla-password"))
	if who := whoseToken(t, s, machine.Krb5Conf, ""); who != "carla" {
		t.Errorf("%q, want the last one who came", who)
	}
	must(t, machine.Run("KCM:", "", "kswitch", "-p", "alice@"+r.Name))
	for _, cache := range []string{"", "KCM:"} {
		if who := whoseToken(t, s, machine.Krb5Conf, cache); who != "alice" {
			t.Errorf("%q, want alice, to whom kswitch switched", who)
		}
	}
	must(t, machine.KinitTo("KCM:", "alice", krbtest.AlicePassword, "-S", "HTTP/localhost"))
	if _, errs, err := idpToken(t, s, machine.Krb5Conf, ""); err == nil || !strings.Contains(errs, "only for HTTP/localhost@") || !strings.Contains(errs, "tickets are here for carla@"+r.Name+" (KCM:") {
		t.Errorf("with a ticket for another service alone: %v %s", err, errs)
	}
	if _, errs, err := idpToken(t, s, machine.Krb5Conf, "KCM:none"); err == nil || !strings.Contains(errs, "there is no ticket") {
		t.Errorf("a cache that is not there: %v %s", err, errs)
	}
}

// A person of Active Directory's: Samba's KDC gives the ticket, whose PAC makes the user.
// The server's realm is its KDC's to know: krb5.conf says nothing of the host.
func TestTokenByATicketOfADomain(t *testing.T) {
	d := domain(t)
	must(t, d.AddUser(sambatest.User{Name: "tessa", Password: password}))
	s := ticketServer(t, domainYAML(d, d.Keytab, ""))
	cache, err := d.Kinit("tessa", password)
	must(t, err)
	if who := whoseToken(t, s, d.Krb5Conf, cache); who != "tessa" {
		t.Errorf("%q, want tessa", who)
	}
	text, err := os.ReadFile(d.Krb5Conf)
	must(t, err)
	conf, _, _ := strings.Cut(string(text), "[domain_realm]")
	without := filepath.Join(t.TempDir(), "krb5.conf")
	must(t, os.WriteFile(without, []byte(conf), 0o600))
	if who := whoseToken(t, s, without, cache); who != "tessa" {
		t.Errorf("%q, want tessa", who)
	}
}
