// Package ldaptest makes a throw-away directory: a real slapd (OpenLDAP, Debian's
// package slapd) in a folder of its own, on free ports of loopback, by LDAPS and by
// StartTLS, under a certificate of its own authority.
//
// It needs neither root nor a service: the program runs in the foreground as whoever
// runs the test, from a copy, so that no profile that the system has for slapd
// (AppArmor goes by path) keeps it out of the folder.
package ldaptest

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"idp/internal/directory"
	"idp/internal/freeport"
	"idp/internal/kerberos/krbtest"
)

// What every server has.
const (
	Base     = "dc=example,dc=test"
	People   = "ou=people," + Base
	Groups   = "ou=groups," + Base
	BindDN   = "cn=idp,ou=services," + Base // may read all, and write nothing
	Password = "a-password-of-the-directory"
	rootDN   = "cn=root," + Base
)

// Server is a running slapd.
type Server struct {
	LDAP, LDAPS string // URLs: with StartTLS, and TLS from the start
	Dir         string // holds ca.pem and bind.password
	CA          *Authority

	t     testing.TB
	slapd *exec.Cmd
	ended chan struct{}
}

// Start makes a directory with BindDN and the folders People and Groups, and runs it
// until the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{t: t, Dir: t.TempDir(), CA: NewAuthority(t)}
	s.LDAP, s.LDAPS = "ldap://"+freeAddress(t), "ldaps://"+freeAddress(t)
	s.write("ca.pem", s.CA.PEM)
	s.write("bind.password", []byte(Password+"\n"))
	cert, key := s.CA.Issue("localhost", "127.0.0.1")
	s.write("server.crt", cert)
	s.write("server.key", key)
	s.write("slapd.conf", []byte(fmt.Sprintf(slapdConf, s.Dir, Base, rootDN, Password, BindDN)))
	program, err := os.ReadFile("/usr/sbin/slapd")
	s.must(err)
	s.must(os.WriteFile(filepath.Join(s.Dir, "slapd"), program, 0o700))
	s.must(os.Mkdir(filepath.Join(s.Dir, "db"), 0o700))
	t.Cleanup(s.Stop)
	s.Run()
	s.Add(Base, "objectClass", "dcObject", "objectClass", "organization", "o", "Example")
	for _, ou := range []string{"people", "groups", "services"} {
		s.Add("ou="+ou+","+Base, "objectClass", "organizationalUnit")
	}
	s.Add(BindDN, "objectClass", "organizationalRole", "objectClass", "simpleSecurityObject", "userPassword", Password)
	return s
}

const slapdConf = `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
attributetype ( 2.16.840.1.113719.1.301.4.1.1 NAME 'krbPrincipalName' EQUALITY caseExactIA5Match SYNTAX 1.3.6.1.4.1.1466.115.121.1.26 )
attributetype ( 2.16.840.1.113719.1.301.4.5.1 NAME 'krbPrincipalExpiration' EQUALITY generalizedTimeMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.24 SINGLE-VALUE )
attributetype ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile %[1]s/slapd.pid
TLSCertificateFile %[1]s/server.crt
TLSCertificateKeyFile %[1]s/server.key
database mdb
directory %[1]s/db
maxsize 67108864
dbnosync
suffix "%[2]s"
rootdn "%[3]s"
rootpw %[4]s
overlay ppolicy
index objectClass,uid,member,uniqueMember,memberUid,krbPrincipalName eq
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="%[5]s" read by * none
`

// Run starts the server again after Stop, at the same addresses.
func (s *Server) Run() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.Dir, "slapd.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	s.must(err)
	defer log.Close()
	cmd := exec.Command(filepath.Join(s.Dir, "slapd"), "-d", "0", "-f", filepath.Join(s.Dir, "slapd.conf"), "-h", s.LDAP+"/ "+s.LDAPS+"/")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	s.must(cmd.Start())
	s.slapd, s.ended = cmd, make(chan struct{})
	ended := s.ended
	go func() {
		_ = cmd.Wait() // why is in its log
		close(ended)
	}()
	for _, u := range []string{s.LDAP, s.LDAPS} {
		if err := krbtest.AwaitListener(context.Background(), u[strings.LastIndexByte(u, '/')+1:], ended); err != nil {
			text, _ := os.ReadFile(log.Name())
			s.t.Fatalf("slapd: %v\n%s", err, text)
		}
	}
}

// Stop ends the server; what it holds stays.
func (s *Server) Stop() {
	if s.slapd == nil {
		return
	}
	_ = s.slapd.Process.Kill() // fails only when it has ended
	<-s.ended
	s.slapd = nil
}

// T is the test that the server belongs to.
func (s *Server) T() testing.TB { return s.t }

// Config is a section that works.
func (s *Server) Config() directory.Config {
	return directory.Config{URL: s.LDAPS, Type: "ldap", BindDN: BindDN, Base: Base,
		PasswordFile: filepath.Join(s.Dir, "bind.password"), CAFile: filepath.Join(s.Dir, "ca.pem")}
}

// YAML is that section in the file, with more lines, indented by two.
func (s *Server) YAML(more string) string {
	c := s.Config()
	return fmt.Sprintf("ldap:\n  url: %s\n  type: ldap\n  bind_dn: %s\n  base: %s\n  password_file: %s\n  ca_file: %s\n%s", c.URL, c.BindDN, c.Base, c.PasswordFile, c.CAFile, more)
}

// AddPerson makes an inetOrgPerson; pairs are more of its attributes.
func (s *Server) AddPerson(uid string, pairs ...string) (dn string) {
	s.t.Helper()
	dn = "uid=" + ldap.EscapeDN(uid) + "," + People
	s.Add(dn, append([]string{"objectClass", "inetOrgPerson", "objectClass", "extensibleObject", "uid", uid, "cn", uid, "sn", uid}, pairs...)...)
	return dn
}

// AddGroup makes a groupOfNames.
func (s *Server) AddGroup(cn string, members ...string) (dn string) {
	s.t.Helper()
	dn = "cn=" + ldap.EscapeDN(cn) + "," + Groups
	pairs := []string{"objectClass", "groupOfNames"}
	for _, m := range members {
		pairs = append(pairs, "member", m)
	}
	s.Add(dn, pairs...)
	return dn
}

// Add makes an entry of pairs of attribute and value.
func (s *Server) Add(dn string, pairs ...string) {
	s.t.Helper()
	attributes := map[string][]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		attributes[pairs[i]] = append(attributes[pairs[i]], pairs[i+1])
	}
	req := ldap.NewAddRequest(dn, nil)
	for name, values := range attributes {
		req.Attribute(name, values)
	}
	s.asRoot(func(c *ldap.Conn) error { return c.Add(req) })
}

// Set replaces the values of an attribute; none removes it.
func (s *Server) Set(dn, attribute string, values ...string) {
	s.t.Helper()
	req := ldap.NewModifyRequest(dn, nil)
	req.Replace(attribute, values)
	s.asRoot(func(c *ldap.Conn) error { return c.Modify(req) })
}

// Delete removes an entry.
func (s *Server) Delete(dn string) {
	s.t.Helper()
	s.asRoot(func(c *ldap.Conn) error { return c.Del(ldap.NewDelRequest(dn, nil)) })
}

func (s *Server) asRoot(do func(*ldap.Conn) error) {
	s.t.Helper()
	c, err := ldap.DialURL(s.LDAPS, ldap.DialWithTLSConfig(&tls.Config{RootCAs: s.CA.Pool()}))
	s.must(err)
	defer func() { _ = c.Close() }()
	s.must(errors.Join(c.Bind(rootDN, Password), do(c)))
}

func (s *Server) write(name string, text []byte) {
	s.t.Helper()
	s.must(os.WriteFile(filepath.Join(s.Dir, name), text, 0o600))
}

func (s *Server) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func freeAddress(t testing.TB) string {
	t.Helper()
	addr, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}
