// Package sambatest makes a throw-away Active Directory domain: a real Samba
// domain controller, of which only the KDC runs, on a port of loopback. What an
// MIT realm cannot show is here: tickets with a full PAC, accounts with SIDs,
// nested groups, user principal names, lock-out.
//
// It needs Debian's samba, samba-ad-dc and samba-ad-provision, and neither root
// nor a network namespace: everything is in one folder, and the ports are free
// ones. A domain is made in about four seconds, so tests share one. The server is
// one process, and ends when its standard input does or its parent dies.
package sambatest

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"idp/internal/freeport"
	"idp/internal/kerberos/krbtest"
)

//go:embed samba.py
var script string

// AdministratorPassword is that of the domain's Administrator.
const AdministratorPassword = "Administrator-passw0rd"

// Service is the principal whose keys New puts into the keytab.
const Service = "HTTP/idp.localhost"

// Domain is a running domain.
type Domain struct {
	krbtest.Client        // Name is the realm, the domain's DNS name in capitals
	NetBIOS        string // as in AD\alice
	Addr           string // host:port of the KDC, TCP and UDP
	KpasswdAddr    string // host:port of the service that changes passwords
	Keytab         string // the keys of Service
	Log            string // what the server printed

	samba *exec.Cmd
	ended chan struct{} // closed when it has
	stdin io.Closer
}

// New makes the domain AD.TEST in dir, which must exist and be empty, with a
// service account for Service, and starts its KDC. The caller calls Stop.
func New(dir string) (*Domain, error) {
	d := &Domain{
		Client:  krbtest.Client{Name: "AD.TEST", Dir: dir, Krb5Conf: filepath.Join(dir, "krb5.conf")},
		NetBIOS: "AD",
		Keytab:  filepath.Join(dir, "http.keytab"),
		Log:     filepath.Join(dir, "samba.log"),
	}
	for _, step := range []func() error{d.provision, d.configure, d.settle, d.start} {
		if err := step(); err != nil {
			d.Stop()
			return nil, fmt.Errorf("samba: %w", err)
		}
	}
	return d, nil
}

func (d *Domain) provision() error {
	_, err := d.python("", "provision", d.Dir, d.Name, d.NetBIOS, AdministratorPassword)
	return err
}

func (d *Domain) conf() string { return filepath.Join(d.Dir, "dc.conf") }

// configure writes a smb.conf in place of the provisioned one, which starts a
// file server and writes outside dir.
func (d *Domain) configure() error {
	kdc, err := freeport.Find()
	if err != nil {
		return err
	}
	kpasswd, err := freeport.Find()
	if err != nil {
		return err
	}
	d.Addr, d.KpasswdAddr = fmt.Sprintf("127.0.0.1:%d", kdc), fmt.Sprintf("127.0.0.1:%d", kpasswd)
	realms := fmt.Sprintf("    %s = {\n        kdc = %s\n        kpasswd_server = %s\n    }\n", d.Name, d.Addr, d.KpasswdAddr)
	if err := os.WriteFile(d.Krb5Conf, []byte(krbtest.Krb5Conf(d.Name, realms)), 0o600); err != nil {
		return err
	}
	text := fmt.Sprintf(smbConf, d.Dir, d.Name, d.NetBIOS, kdc, kpasswd)
	return os.WriteFile(d.conf(), []byte(text), 0o600)
}

const smbConf = `[global]
	netbios name = DC
	realm = %[2]s
	workgroup = %[3]s
	server role = active directory domain controller
	server services = kdc
	dcerpc endpoint servers =
	interfaces = 127.0.0.1/8
	bind interfaces only = yes
	krb5 port = %[4]d
	kpasswd port = %[5]d
	disable netbios = yes
	load printers = no
	binddns dir = %[1]s/bind-dns
	cache directory = %[1]s/cache
	lock directory = %[1]s/lock
	state directory = %[1]s/state
	private dir = %[1]s/private
	pid directory = %[1]s/run
	ncalrpc dir = %[1]s/ncalrpc
	winbindd socket directory = %[1]s/winbindd
	log file = %[1]s/log.%%m
	log level = 1 auth_audit:0
`

// settle relaxes the rules for passwords and makes the service account.
func (d *Domain) settle() error {
	if err := d.Tool("domain", "passwordsettings", "set", "--min-pwd-age=0", "--history-length=0"); err != nil {
		return err
	}
	if err := d.AddService("http-idp", Service, "HTTP/localhost"); err != nil {
		return err
	}
	return d.ExportKeytab(d.Keytab, Service)
}

// start starts the KDC and waits until it listens.
func (d *Domain) start() error {
	for _, name := range []string{"lock", "run", "cache", "state"} {
		if err := os.MkdirAll(filepath.Join(d.Dir, name), 0o700); err != nil {
			return err
		}
	}
	log, err := os.OpenFile(d.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// One process in the foreground, which ends with its standard input.
	cmd := exec.Command("/usr/sbin/samba", "--interactive", "--model=single", "--debug-stdout", "--configfile="+d.conf())
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if d.stdin, err = cmd.StdinPipe(); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start: %w (Debian: samba-ad-dc)", err)
	}
	d.samba, d.ended = cmd, make(chan struct{})
	go func() {
		_ = cmd.Wait() // why it ended is in its log
		close(d.ended)
	}()
	return d.listens()
}

// listens waits until the KDC takes connections, or has ended.
func (d *Domain) listens() error {
	err := krbtest.AwaitListener(context.Background(), d.Addr, d.ended)
	if err == nil {
		return nil
	}
	text, _ := os.ReadFile(d.Log) // the error counts
	return fmt.Errorf("the KDC: %w\n%s", err, text)
}

// Stop ends the KDC, and whatever it started. It may be called twice.
func (d *Domain) Stop() {
	if d.samba == nil {
		return
	}
	_ = syscall.Kill(-d.samba.Process.Pid, syscall.SIGKILL) // its group; fails only when it has ended
	<-d.ended
	_ = d.stdin.Close()
	d.samba = nil
}

// python runs a command of samba.py and returns what it prints.
func (d *Domain) python(stdin string, args ...string) (string, error) {
	return d.run(stdin, "/usr/bin/python3", append([]string{"-I", "-c", script}, args...)...)
}

// Tool runs samba-tool on the domain's own database.
func (d *Domain) Tool(args ...string) error {
	_, err := d.run("", "samba-tool", append(args, "--configfile="+d.conf())...)
	return err
}

func (d *Domain) run(stdin, name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = append(d.Env(), "HOME="+d.Dir)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s%s", filepath.Base(name), args[min(len(args)-1, 2)], err, out, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}
