package krbtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/jcmturner/gokrb5/v8/client"
	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/credentials"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Client is a machine of a realm, MIT's or another: what programs need to know
// to get its tickets.
type Client struct {
	Name     string // of the realm
	Dir      string // holds everything
	Krb5Conf string // for programs, and for kerberos.Config
}

// Client is a machine of the realm.
func (r *Realm) Client() *Client { return &Client{r.Name, r.Dir, r.Krb5Conf} }

// Kinit is Client.Kinit.
func (r *Realm) Kinit(name, password string, options ...string) (ccache string, err error) {
	return r.Client().Kinit(name, password, options...)
}

// Ticket is Client.Ticket.
func (r *Realm) Ticket(name, password, spn string) (*Ticket, error) {
	return r.Client().Ticket(name, password, spn)
}

// Env is the environment of Kerberos programs, added to our own.
func (c *Client) Env() []string {
	return append(os.Environ(), "KRB5_CONFIG="+c.Krb5Conf, "KRB5CCNAME="+filepath.Join(c.Dir, "no-ccache"))
}

// runWith runs a program with this environment.
func runWith(env []string, stdin, name string, args ...string) error {
	cmd := exec.Command(find(name), args...)
	cmd.Env = env
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// Kinit gets a ticket for a user by the kinit program, with more of its options
// if wanted, and returns the path of the credential cache, for KRB5CCNAME.
func (c *Client) Kinit(name, password string, options ...string) (ccache string, err error) {
	ccache = filepath.Join(c.Dir, "ccache-"+strings.ReplaceAll(name, "/", "_"))
	args := append([]string{"-c", ccache}, append(options, name+"@"+c.Name)...)
	return ccache, runWith(c.Env(), password+"\n", "kinit", args...)
}

// KinitTo is Kinit into the cache that KRB5CCNAME would name: of a collection, one for
// each person.
func (c *Client) KinitTo(cache, name, password string, options ...string) error {
	return c.Run(cache, password+"\n", "kinit", append(options, name+"@"+c.Name)...)
}

// Run runs a program of the machine with a cache, such as kswitch.
func (c *Client) Run(cache, stdin, program string, args ...string) error {
	return runWith(append(c.Env(), "KRB5CCNAME="+cache), stdin, program, args...)
}

// Ticket gets a service ticket by password. spn is "HTTP/idp.localhost".
func (c *Client) Ticket(name, password, spn string) (*Ticket, error) {
	conf, err := config.Load(c.Krb5Conf)
	if err != nil {
		return nil, err
	}
	asker := client.NewWithPassword(name, c.Name, password, conf, client.DisablePAFXFAST(true))
	defer asker.Destroy()
	if err := asker.Login(); err != nil {
		return nil, fmt.Errorf("log in as %s: %w", name, err)
	}
	t := &Ticket{Client: types.NewPrincipalName(1, name), Realm: c.Name}
	t.Ticket, t.Key, err = asker.GetServiceTicket(spn)
	return t, err
}

// Kvno gets a service ticket by MIT's programs kinit and kvno, which, unlike
// Ticket, find their way through realms that trust each other. spn is
// "HTTP/idp.localhost@OTHER.TEST"; options are kinit's.
func (c *Client) Kvno(name, password, spn string, options ...string) (*Ticket, error) {
	path, err := c.Kinit(name, password, options...)
	if err != nil {
		return nil, err
	}
	if err := runWith(c.Env(), "", "kvno", "-q", "-c", path, spn); err != nil {
		return nil, err
	}
	cache, err := credentials.LoadCCache(path)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	t := &Ticket{Client: types.NewPrincipalName(1, name), Realm: c.Name}
	for _, e := range cache.Credentials {
		if e.Server.PrincipalName.PrincipalNameString()+"@"+e.Server.Realm == spn {
			t.Key = e.Key
			return t, t.Ticket.Unmarshal(e.Ticket)
		}
	}
	return nil, fmt.Errorf("%s holds no ticket for %s", path, spn)
}
