// Package stage starts what the demo and the interoperability tests need, as
// real processes on loopback: an MIT KDC with the realm EXAMPLE.TEST, idp on
// embedded SQLite, and the example site twice, as "Wiki" and as "Tickets".
//
// Everything is in one folder, which holds the configuration a reader may want
// to look at (idp.yaml, krb5.conf), the keytab, the secrets and the logs. The
// names are idp.localhost, wiki.localhost and tickets.localhost: browsers and
// curl take them to this machine without a hosts file, and cookies of one host
// do not reach another. No root is needed.
package stage

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"idp/internal/freeport"
	"idp/internal/kerberos/krbtest"
)

// Passwords of the people on stage: alice and user are in the realm, bob is a
// local user of idp.
const (
	AlicePassword = "alice-password"
	UserPassword  = "user-password"
	BobPassword   = "correct horse battery staple"
)

// Config says what to start; the zero value of all but Dir and Bin is usable.
type Config struct {
	Dir string    // an empty folder for everything
	Bin string    // the folder with the programs idp and site
	Out io.Writer // where progress is told, one line a step; nil: nowhere

	// For tests and measurements.
	Host     string            // of the issuer; default idp.localhost, else localhost
	Database string            // default: SQLite in Dir
	Users    map[string]string // more principals of the realm → password
	Clients  string            // added to the list of clients in idp.yaml
	YAML     string            // added to idp.yaml after them
}

// Stage is what runs.
type Stage struct {
	Config
	Realm                *krbtest.Realm
	Issuer               string // http://idp.localhost:PORT
	Wiki, Tickets        string // http://wiki.localhost:PORT
	IDP                  *Process
	Processes            []*Process // idp and the sites, in the order of their start
	idp                  string     // host:port idp listens on
	wikiAddr, ticketAddr string
}

// Start starts everything and waits until it answers. After an error nothing is
// left running. The caller calls Stop.
func Start(ctx context.Context, c Config) (*Stage, error) {
	if c.Out == nil {
		c.Out = io.Discard
	}
	if c.Host == "" {
		c.Host = "idp.localhost"
	}
	if c.Database == "" {
		c.Database = "sqlite:idp.db"
	}
	s := &Stage{Config: c}
	for _, step := range []func(context.Context) error{s.addresses, s.startRealm, s.configure, s.startIDP, s.addBob, s.startSites} {
		if err := step(ctx); err != nil {
			s.Stop()
			return nil, err
		}
	}
	return s, nil
}

// Stop ends every process, the last one first.
func (s *Stage) Stop() {
	for i := len(s.Processes) - 1; i >= 0; i-- {
		s.Processes[i].Stop()
	}
	if s.Realm != nil {
		s.Realm.Stop()
	}
}

func (s *Stage) say(format string, args ...any) { fmt.Fprintf(s.Out, format+"\n", args...) }

// Path is the path of a file of the stage.
func (s *Stage) Path(name string) string { return filepath.Join(s.Dir, name) }

// addresses finds free ports.
func (s *Stage) addresses(context.Context) error {
	for _, p := range []struct {
		host      string
		addr, url *string
	}{{s.Host, &s.idp, &s.Issuer}, {"wiki.localhost", &s.wikiAddr, &s.Wiki}, {"tickets.localhost", &s.ticketAddr, &s.Tickets}} {
		port, err := freeport.Find()
		if err != nil {
			return err
		}
		*p.addr = fmt.Sprintf("127.0.0.1:%d", port)
		*p.url = fmt.Sprintf("http://%s:%d", p.host, port)
	}
	return nil
}

// Resolve are the options that make curl take the names to this machine,
// whatever version it is.
func (s *Stage) Resolve() []string {
	var out []string
	for _, u := range []string{s.Issuer, s.Wiki, s.Tickets} {
		out = append(out, "--resolve", strings.TrimPrefix(u, "http://")+":127.0.0.1")
	}
	return out
}

func (s *Stage) startRealm(context.Context) error {
	dir := s.Path("realm")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	users := map[string]string{"alice": AlicePassword, "user": UserPassword}
	for name, password := range s.Users {
		users[name] = password
	}
	var err error
	s.Realm, err = krbtest.New(dir, krbtest.Options{Users: users})
	if err != nil {
		return err
	}
	s.say("KDC      realm %s at %s, with alice, user and the service HTTP/idp.localhost", s.Realm.Name, s.Realm.Addr)
	return nil
}

// configure writes idp.yaml and the secrets.
func (s *Stage) configure(context.Context) error {
	yaml := fmt.Sprintf(idpYAML, s.Issuer, s.idp, s.Database, s.Realm.Keytab, s.Realm.Krb5Conf, s.Realm.Name, s.Wiki, s.Tickets) + s.Clients + s.YAML
	return errors.Join(
		s.write("idp.yaml", yaml),
		s.write("wiki.secret", rand.Text()+rand.Text()+"\n"),
		s.write("tickets.secret", rand.Text()+rand.Text()+"\n"),
	)
}

const idpYAML = `# What the demo wrote. Every key: docs/configuration.md.
issuer: %s
listen: %s
database: %s
brand: {name: Example Ltd}
kerberos:
  keytabs: [%q]
  krb5_conf: %q
  basic_realm: Example Ltd
  realms:
    - name: %s
clients:
  - client_id: wiki
    client_name: Wiki
    client_secret_file: wiki.secret
    redirect_uris: [%[7]s/callback]
    post_logout_redirect_uris: [%[7]s/signed-out]
  - client_id: tickets
    client_name: Tickets
    client_secret_file: tickets.secret
    redirect_uris: [%[8]s/callback]
    post_logout_redirect_uris: [%[8]s/signed-out]
    id_token_signed_response_alg: ES256
`

func (s *Stage) write(name, text string) error {
	return os.WriteFile(s.Path(name), []byte(text), 0o600)
}

func (s *Stage) startIDP(ctx context.Context) error {
	if err := s.StartIDP(ctx); err != nil {
		return err
	}
	s.say("idp      %s, data in %s", s.Issuer, strings.TrimPrefix(s.Database, "sqlite:"))
	return nil
}

// StartIDP starts idp, and again after IDP.Stop.
func (s *Stage) StartIDP(ctx context.Context) (err error) {
	s.IDP, err = s.start(ctx, "idp", s.idp, "idp", "serve", "--config", s.Path("idp.yaml"))
	return err
}

// addBob makes bob as an administrator would, while the server runs.
func (s *Stage) addBob(ctx context.Context) error {
	if err := s.Command(ctx, BobPassword+"\n", "user", "add", "bob", "--password-file", "-", "--name", "Bob Partner", "--email", "bob@example.com"); err != nil {
		return err
	}
	s.say("bob      no employee: made by `idp user add bob --password-file -`")
	return nil
}

func (s *Stage) startSites(ctx context.Context) error {
	for _, site := range []struct{ id, name, addr, url string }{
		{"wiki", "Wiki", s.wikiAddr, s.Wiki}, {"tickets", "Tickets", s.ticketAddr, s.Tickets},
	} {
		_, err := s.start(ctx, site.id, site.addr, "site", "--name", site.name, "--listen", site.addr, "--url", site.url,
			"--issuer", s.Issuer, "--client-id", site.id, "--client-secret-file", s.Path(site.id+".secret"))
		if err != nil {
			return err
		}
		s.say("%-8s %s", site.name, site.url)
	}
	return nil
}
