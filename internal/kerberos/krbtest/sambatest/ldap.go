package sambatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"idp/internal/kerberos/krbtest"
)

// LDAPHost is where the directory listens: Samba's ports for it are 389 and 636, and
// no others, so it has an address of loopback to itself. Who may not listen at such
// ports (they are root's on most machines) cannot start it.
const LDAPHost = "127.0.0.88"

// StartLDAP starts the domain's LDAP server, by LDAPS and by StartTLS, under a
// certificate for LDAPHost and its key, PEM. It is a program of its own beside the
// KDC, on the same database. The returned function ends it, and
// it may be started again.
func (d *Domain) StartLDAP(cert, key []byte) (stop func(), err error) {
	conf := filepath.Join(d.Dir, "ldap.conf")
	text := fmt.Sprintf(smbConf, d.Dir, d.Name, d.NetBIOS, 88, 464) + fmt.Sprintf(ldapConf, d.Dir, LDAPHost)
	err = errors.Join(os.WriteFile(conf, []byte(text), 0o600), os.WriteFile(filepath.Join(d.Dir, "ldap.crt"), cert, 0o600),
		os.WriteFile(filepath.Join(d.Dir, "ldap.key"), key, 0o600), os.MkdirAll(filepath.Join(d.Dir, "ldap-run"), 0o700))
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(d.Dir, "ldap.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command("/usr/sbin/samba", "--interactive", "--model=single", "--debug-stdout", "--configfile="+conf)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // why it ended is in its log
		close(ended)
	}()
	stop = func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // its group; fails only when it has ended
		<-ended
		_ = stdin.Close()
	}
	for _, port := range []string{":389", ":636"} {
		if err := krbtest.AwaitListener(context.Background(), LDAPHost+port, ended); err != nil {
			stop()
			text, _ := os.ReadFile(log.Name()) // the error counts
			return nil, fmt.Errorf("the directory: %w\n%s", err, text)
		}
	}
	return stop, nil
}

// ldapConf comes after smbConf; of a setting that is there twice the last counts.
const ldapConf = `	server services = ldap
	interfaces = %[2]s/8
	pid directory = %[1]s/ldap-run
	ncalrpc dir = %[1]s/ldap-run
	tls enabled = yes
	tls certfile = %[1]s/ldap.crt
	tls keyfile = %[1]s/ldap.key
	tls cafile =
	tls verify peer = no_check
`
