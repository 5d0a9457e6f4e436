// Package directory asks an LDAP directory about people whom Kerberos only names:
// their full names, mail addresses and groups, and whether their accounts are still
// enabled, which a ticket that was got in the morning does not say in the evening.
//
// A question must never cost anybody their login. It has a deadline (2 s), which
// dialling, TLS and all requests share; a directory that did not answer is left in
// peace for ten seconds, in which everybody is told at once that it is silent; what
// was answered is kept for five minutes at most; and of many who ask about the same
// person at the same time one does. What to do without an answer is the caller's
// decision (package authn): the ticket counts, and nothing more.
//
// What a ticket says goes into filters by EscapeFilter only, and what comes back is
// compared with it once more: directories compare names with less care than
// Kerberos does (letter case, accents, width), and an answer about somebody else
// would be an account taken over.
package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"idp/internal/secret"
)

// Sentinels: what comes of a question beside a Person.
var (
	// ErrSilent: the directory could not be asked; the text says why. Says nothing
	// about the account.
	ErrSilent = errors.New("the directory does not answer")
	// ErrAbsent: it has no such account.
	ErrAbsent = errors.New("the directory has no such account")
	// ErrAmbiguous: it has several, and which one is meant is not known.
	ErrAmbiguous = errors.New("the directory has several such accounts")
)

// How long an answer is kept: what lets somebody in for as long as is promised, what
// keeps somebody out so that it is soon mended.
const (
	keptGood = 5 * time.Minute
	keptBad  = 30 * time.Second
)

// Account is an account of a realm as its tickets tell of it.
type Account struct {
	Realm string
	SID   string // where tickets tell it; nothing else counts then
	Name  string // else the only component of the principal
	Exact bool   // the realm has names that differ in case only
}

// Person is what the directory says of an account.
type Person struct {
	DN       string
	FullName string   // empty: it says nothing
	Email    string   // empty: it says nothing
	Groups   []string // sorted; where Config.TellsGroups
	Disabled string   // why the account is not enabled; empty: it is
}

// Options is everything New needs.
type Options struct {
	Config
	DefaultRealm string                        // whose people it knows where Config.Realms is empty
	Password     func() (secret.String, error) // of BindDN, read for every connection; nil: none
	Log          *slog.Logger                  // nil: slog.Default
	Count        func(result string)           // hears what came of each question: found, disabled, absent, ambiguous, silent; nil: nobody
	Now          func() time.Time              // nil: time.Now
}

// Directory asks. Safe for concurrent use.
type Directory struct {
	Options
	servers *servers
	reader  reader
	kept    answers
	anybody struct { // what ShowsAnybody said
		mu    sync.Mutex
		some  bool
		until time.Time
	}
	running singleflight.Group
}

// New makes a Directory. It asks nothing.
func New(o Options) (*Directory, error) {
	if p := o.Problems(); !o.Configured() || len(p) > 0 {
		return nil, fmt.Errorf("directory: the section is not usable: %v", p)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Timeout == 0 {
		o.Timeout = Duration(defaultTimeout)
	}
	if len(o.Realms) == 0 && o.DefaultRealm != "" {
		o.Realms = []string{o.DefaultRealm}
	}
	d := &Directory{Options: o, reader: newReader(o.Config)}
	var err error
	d.servers, err = newServers(o)
	return d, err
}

// Close gives the connections back. Who is asking meanwhile gets an answer.
func (d *Directory) Close() { d.servers.close() }

// Knows reports whether the directory knows the people of a realm.
func (d *Directory) Knows(realm string) bool { return slices.Contains(d.Realms, realm) }

// Lookup asks about an account, or answers what is kept. The error is one of the
// sentinels.
func (d *Directory) Lookup(ctx context.Context, a Account) (*Person, error) {
	if p, err, ok := d.kept.get(a, d.Now()); ok {
		return p, err
	}
	key := fmt.Sprintf("%q %q %q %v", a.Realm, a.SID, a.Name, a.Exact)
	result := d.running.DoChan(key, func() (any, error) { return d.ask(context.WithoutCancel(ctx), a) })
	select {
	case r := <-result:
		p, _ := r.Val.(*Person)
		return p, r.Err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrSilent, ctx.Err())
	}
}

// ask asks, keeps the answer and counts it.
func (d *Directory) ask(ctx context.Context, a Account) (*Person, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.Timeout))
	defer cancel()
	asked := d.Now()
	var p *Person
	var answer error
	err := d.servers.do(ctx, func(c *conn) (err error) {
		p, err = d.reader.person(c, a, asked)
		if errors.Is(err, ErrAbsent) || errors.Is(err, ErrAmbiguous) {
			p, answer, err = nil, err, nil // the directory has answered
		}
		return err
	})
	if err != nil {
		p, answer = nil, fmt.Errorf("%w: %w", ErrSilent, err)
	}
	d.count(p, answer)
	switch {
	case err != nil: // servers remembers that for all accounts
	case answer != nil || p.Disabled != "":
		d.kept.put(a, p, answer, asked, keptBad)
	default:
		d.kept.put(a, p, nil, asked, keptGood)
	}
	return p, answer
}

// ShowsAnybody reports whether idp can see any person there: who sees nobody has
// lost a right, and nothing follows from an account that is not found.
func (d *Directory) ShowsAnybody(ctx context.Context) bool {
	d.anybody.mu.Lock()
	defer d.anybody.mu.Unlock()
	if now := d.Now(); now.Before(d.anybody.until) {
		return d.anybody.some
	}
	d.anybody.some = d.asksAnybody(context.WithoutCancel(ctx))
	d.anybody.until = d.Now().Add(keptBad)
	return d.anybody.some
}

func (d *Directory) asksAnybody(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(d.Timeout))
	defer cancel()
	some := false
	err := d.servers.do(ctx, func(c *conn) (err error) {
		some, err = d.reader.anybody(c)
		return err
	})
	return err == nil && some
}

func (d *Directory) count(p *Person, err error) {
	if d.Count == nil {
		return
	}
	switch {
	case errors.Is(err, ErrAbsent):
		d.Count("absent")
	case errors.Is(err, ErrAmbiguous):
		d.Count("ambiguous")
	case err != nil:
		d.Count("silent")
	case p.Disabled != "":
		d.Count("disabled")
	default:
		d.Count("found")
	}
}

// usableGroup: a name that sites can be told, in a claim as in a header.
func usableGroup(name string) bool {
	return name != "" && len(name) <= 256 && strings.TrimSpace(name) == name && printable(name) && !strings.Contains(name, ",")
}
