// Package krbtest makes a throw-away Kerberos realm: a real MIT KDC on loopback,
// its database, a keytab, and a krb5.conf for every client. Only tests and the
// demo import it.
//
// It needs krb5kdc, kdb5_util, kadmin.local and kinit of MIT Kerberos (Debian:
// krb5-kdc, krb5-admin-server, krb5-user), no root, no hosts file and no DNS:
// krb5.conf names the KDC by address, and the names of services are taken as
// they are (rdns and dns_canonicalize_hostname are off). A realm is ready in
// about half a second. The KDC dies with the process that started it.
package krbtest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"idp/internal/freeport"
)

// Options says what a new realm holds. The zero value is a realm EXAMPLE.TEST
// with alice (password "alice-password") and the services HTTP/idp.localhost and
// HTTP/localhost.
type Options struct {
	Realm     string            // default EXAMPLE.TEST
	Users     map[string]string // principal → password; default alice
	Services  []string          // principals with random keys, all in the keytab
	Enctypes  string            // of new keys, as supported_enctypes; default MIT's, plus RFC 8009
	KDCBefore []string          // addresses listed before the realm's KDC in krb5.conf
	KDCConf   string            // more of the realm's section of kdc.conf, one setting a line
	Port      int               // of the KDC; default a free one
}

// AlicePassword is alice's in a realm made with default Users.
const AlicePassword = "alice-password"

// Realm is a running realm.
type Realm struct {
	Name     string
	Dir      string // holds everything
	Krb5Conf string // for clients, and for kerberos.Config
	Keytab   string // the keys of Options.Services
	Addr     string // host:port of the KDC, TCP and UDP

	kdcs    []string      // for clients: Options.KDCBefore, then Addr
	trusted []*Realm      // realms made known to this one by Trust
	path    string        // [capaths] of this realm's programs, by Path
	clock   time.Duration // of the KDC, against ours
	kdc     *exec.Cmd
}

// Start makes a realm in a temporary directory of the test and stops it when the
// test ends.
func Start(t testing.TB, o Options) *Realm {
	t.Helper()
	r, err := New(t.TempDir(), o)
	if err != nil {
		t.Fatalf("start a KDC: %v", err)
	}
	t.Cleanup(r.Stop)
	return r
}

// New makes a realm in dir, which must exist and be empty, and starts its KDC.
// The caller calls Stop.
func New(dir string, o Options) (*Realm, error) {
	o.setDefaults()
	r := &Realm{
		Name:     o.Realm,
		Dir:      dir,
		Krb5Conf: filepath.Join(dir, "krb5.conf"),
		Keytab:   filepath.Join(dir, "http.keytab"),
	}
	port := o.Port
	if port == 0 {
		var err error
		if port, err = freeport.Find(); err != nil {
			return nil, err
		}
	}
	r.Addr = fmt.Sprintf("127.0.0.1:%d", port)
	r.kdcs = append(o.KDCBefore, r.Addr)
	if err := r.writeConfig(o, port); err != nil {
		return nil, err
	}
	if err := r.run("kdb5_util", "create", "-s", "-r", r.Name, "-P", "master"); err != nil {
		return nil, err
	}
	if err := r.addAll(o); err != nil {
		return nil, err
	}
	return r, r.StartKDC()
}

func (o *Options) setDefaults() {
	if o.Realm == "" {
		o.Realm = "EXAMPLE.TEST"
	}
	if o.Users == nil {
		o.Users = map[string]string{"alice": AlicePassword}
	}
	if o.Services == nil {
		o.Services = []string{"HTTP/idp.localhost", "HTTP/localhost"}
	}
	if o.Enctypes == "" {
		o.Enctypes = "aes256-cts-hmac-sha1-96:normal aes128-cts-hmac-sha1-96:normal " +
			"aes256-cts-hmac-sha384-192:normal aes128-cts-hmac-sha256-128:normal"
	}
}

func (r *Realm) writeConfig(o Options, port int) error {
	if err := r.writeKrb5Conf(); err != nil {
		return err
	}
	// One profile for the KDC and the admin tools. The KDC writes its log to
	// its standard error, which StartKDC reads.
	kdc := fmt.Sprintf(`[kdcdefaults]
    kdc_listen = 127.0.0.1:%d
    kdc_tcp_listen = 127.0.0.1:%d
[realms]
    %s = {
        database_name = %s/principal
        key_stash_file = %s/stash
        acl_file = %s/acl
        supported_enctypes = %s
        default_principal_flags = +preauth
        max_life = 10h
        max_renewable_life = 7d
        %s
    }
[logging]
    kdc = STDERR
    default = STDERR
`, port, port, r.Name, r.Dir, r.Dir, r.Dir, o.Enctypes, o.KDCConf)
	return os.WriteFile(filepath.Join(r.Dir, "kdc.conf"), []byte(kdc), 0o600)
}

func (r *Realm) addAll(o Options) error {
	var b strings.Builder
	for name, password := range o.Users {
		fmt.Fprintf(&b, "addprinc -pw %s %s\n", quote(password), quote(name))
	}
	for _, s := range o.Services {
		fmt.Fprintf(&b, "addprinc -randkey %s\n", quote(s))
	}
	if err := r.Kadmin(b.String()); err != nil {
		return err
	}
	if len(o.Services) == 0 {
		return nil
	}
	return r.ExportKeytab(r.Keytab, o.Services...)
}

// quote writes an argument of kadmin.local.
func quote(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }

// Env is the environment of this realm's Kerberos programs, added to our own.
func (r *Realm) Env() []string {
	return append(r.Client().Env(), "KRB5_KDC_PROFILE="+filepath.Join(r.Dir, "kdc.conf"))
}

// run runs a program of the KDC with the realm's environment.
func (r *Realm) run(name string, args ...string) error { return runWith(r.Env(), "", name, args...) }

// find looks into sbin too, which is not in everybody's PATH.
func find(name string) string {
	for _, dir := range []string{"/usr/sbin", "/usr/bin", "/usr/local/sbin", "/opt/homebrew/sbin"} {
		p := filepath.Join(dir, name)
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	return name
}

// Kadmin runs commands of kadmin.local, one a line. kadmin.local reports failures
// of commands on standard error only, so any line there that is no warning fails.
func (r *Realm) Kadmin(commands string) error {
	cmd := exec.Command(find("kadmin.local"), "-r", r.Name)
	cmd.Env = r.Env()
	cmd.Stdin = strings.NewReader(commands)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("kadmin.local: %w\n%s", err, stderr.String())
	}
	for line := range strings.Lines(stderr.String()) {
		if strings.Contains(line, "while ") || strings.Contains(line, "usage:") {
			return fmt.Errorf("kadmin.local: %s", strings.TrimSpace(line))
		}
	}
	return nil
}

// AddPrincipal adds a user with a password.
func (r *Realm) AddPrincipal(name, password string) error {
	return r.Kadmin(fmt.Sprintf("addprinc -pw %s %s\n", quote(password), quote(name)))
}

// ExportKeytab writes the current keys of principals to a new file and renames
// it to path, so that a reader never sees half a keytab.
func (r *Realm) ExportKeytab(path string, principals ...string) error {
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	var b strings.Builder
	for _, p := range principals {
		fmt.Fprintf(&b, "ktadd -norandkey -k %s %s\n", quote(tmp), quote(p))
	}
	if err := r.Kadmin(b.String()); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}

// StartKDC starts the realm's KDC and waits until it listens. New has done so
// already; tests use it after Stop.
func (r *Realm) StartKDC() error {
	cmd := exec.Command(find("krb5kdc"), "-n", "-r", r.Name)
	cmd.Env = r.Env()
	if r.clock != 0 {
		// The library itself: the program faketime would outlive its KDC's end, or
		// the KDC outlive the program's.
		libraries, err := filepath.Glob("/usr/lib/*/faketime/libfaketime.so.1")
		if err != nil || len(libraries) == 0 {
			return errors.New("no libfaketime (Debian: faketime)")
		}
		cmd.Env = append(cmd.Env, "LD_PRELOAD="+libraries[0], fmt.Sprintf("FAKETIME=%+ds", int(r.clock.Seconds())))
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	pipe, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	var log strings.Builder
	lines := bufio.NewScanner(pipe)
	for lines.Scan() {
		log.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "commencing operation") {
			r.kdc = cmd
			go func() { // the pipe must not fill up
				for lines.Scan() {
				}
			}()
			return nil
		}
	}
	_ = cmd.Wait()
	return fmt.Errorf("krb5kdc ended: %s", log.String())
}

// SetClock starts the KDC again with a clock that is ahead of ours, by
// libfaketime.
func (r *Realm) SetClock(ahead time.Duration) error {
	r.Stop()
	r.clock = ahead
	return r.StartKDC()
}

// Stop ends the KDC. It may be called twice.
func (r *Realm) Stop() {
	if r.kdc == nil {
		return
	}
	_ = r.kdc.Process.Kill()
	_ = r.kdc.Wait()
	r.kdc = nil
}
