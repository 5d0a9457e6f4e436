// Package authn takes a credential and says who it belongs to: a Kerberos ticket
// or a name and a password in, a user or a typed reason out. It knows nothing of
// HTTP, so that the login pages, forward auth and the token endpoint decide
// alike, and it is the only caller of the limiter, so that no password path can
// go around it.
//
// A password typed into the form or the browser's prompt goes to whoever can
// check it: a name with a trusted realm to that realm's KDC, a local user of
// exactly that name to its argon2id hash, everything else to the default realm.
// A KDC counts each of our wrong guesses against the account's own lock-out;
// guesses are therefore counted here, per canonical name, before it is asked.
//
// Every refusal has a reason code for the log, the audit entry and the page.
// What the visitor is told is less: wrong password and unknown name read the
// same and take the same time.
package authn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"idp/internal/audit"
	"idp/internal/directory"
	"idp/internal/kerberos"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/user"
)

// kerberosMaximum bounds what a Kerberos login gives where no directory tells us
// that an account was disabled: the ticket's end, or this.
const kerberosMaximum = 10 * time.Hour

// failureFloor is the least time a failed password takes, so that its duration
// tells nothing (unknown name, no local hash, KDC's answer).
const failureFloor = 500 * time.Millisecond

// Config is everything New needs.
type Config struct {
	Store     *store.Store
	Ring      *secret.Ring
	Kerberos  *kerberos.Acceptor   // nil: no realm is configured
	Section   kerberos.Config      // the section it was made from
	Directory *directory.Directory // asked about people whom Kerberos names; nil: there is none
	Limits    Limits
	Sites     []string // host names of protected sites, which have keys in our keytab
	Log       *slog.Logger
	Now       func() time.Time
	passwords checker
}

// Authn checks credentials. Safe for concurrent use.
type Authn struct {
	Config
	limiter *limiter
	mapping *user.Mapping
	hasher  *user.Hasher
	running flights  // passwords being checked
	hashing crowd    // those that wait for a processor
	asking  crowd    // those that wait for a KDC
	people  accounts // by what the directory knows users
}

// checker is what Authn wants of *kerberos.Acceptor where names and passwords
// are typed.
type checker interface {
	CheckPassword(context.Context, kerberos.Name, secret.String) (*kerberos.Login, error)
	ChangePassword(ctx context.Context, n kerberos.Name, old, next secret.String) error
	AccountOf(context.Context, kerberos.Name) (string, error)
}

// Result is a user whose credential was good.
type Result struct {
	User      *store.User
	AMR       []string
	AuthTime  time.Time
	Until     time.Time          // what comes of this login ends here; zero: no limit
	TicketEnd time.Time          // and here unless the directory vouches for its user; zero: no such end
	Note      string             // for the log: the directory did not answer, and why
	Principal string             // empty for local users
	Mechanism kerberos.Mechanism // how a ticket came; empty for passwords
	Reply     []byte             // token for the client, proof that we are genuine; may be nil
	// PasswordHash is of the local password that was right; the session starts only
	// while it is still the user's. Empty: no local password was typed.
	PasswordHash string
	// Account is what the browser is to remember, for policy.From.Known; empty: no password
	// was typed.
	Account  string
	Remember bool                  // its person wants this device remembered
	Upstream store.UpstreamSession // the login at an upstream; zero: none

	// Of a second factor that was shown: which (package factor's id; may be empty), and
	// how the log calls it. Second sets them.
	FactorID, Second string
	Method           string // how the log calls the first, where a login request held it
	// Continues is the session that a second factor is added to; empty: a login of its own.
	Continues string
}

// New makes an Authn.
func New(c Config) (*Authn, error) {
	if c.Store == nil || c.Ring == nil {
		return nil, errors.New("authn: Store and Ring are required")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	if c.Kerberos != nil {
		c.passwords = c.Kerberos
	}
	a := &Authn{Config: c, hasher: user.NewHasher(), limiter: newLimiter(c), hashing: newHashing(), asking: newAsking()}
	a.mapping = &user.Mapping{Store: c.Store, Services: c.Section.Services}
	for _, r := range c.Section.Realms {
		a.mapping.Realms = append(a.mapping.Realms, user.Realm{Name: r.Name, Case: r.Case, SIDRequired: r.RequiresPAC(), SIDOptional: r.AllowsNoPAC()})
	}
	return a, nil
}

// Hash hashes a new local password, under the same cap as logins.
func (a *Authn) Hash(ctx context.Context, password secret.String) (string, error) {
	return a.hasher.Hash(ctx, password)
}

// known turns a proven principal into a user.
func (a *Authn) known(ctx context.Context, login *kerberos.Login, amr string) (*Result, error) {
	p := user.Principal{Text: login.Principal.String(), Components: login.Principal.Components, Realm: login.Principal.Realm}
	if login.PAC != nil {
		p.SID, p.FullName = login.PAC.SID, login.PAC.FullName
	}
	u, err := a.mapping.User(ctx, p)
	if err != nil {
		return nil, err
	}
	said, err := a.askAbout(ctx, u, a.identityOf(p))
	if err != nil {
		return nil, err
	}
	if u, err = a.profile(ctx, u, login, said.person); err != nil {
		return nil, err
	}
	res := &Result{User: u, AMR: []string{amr}, AuthTime: a.Now(), Principal: p.Text, Note: said.note()}
	res.TicketEnd = a.Now().Add(kerberosMaximum)
	if login.EndTime.Before(res.TicketEnd) {
		res.TicketEnd = login.EndTime
	}
	if said.person == nil { // else whoever is asked again, for as long as anything comes of it, vouches
		res.Until = res.TicketEnd
	}
	return res, nil
}

// profile takes over what the ticket's PAC says: the full name, and the groups
// that the realm's configuration gives names to (SIDs say nothing to a site); and,
// before that, what the directory says (nil: nothing). What neither says anything of
// is left as it is.
func (a *Authn) profile(ctx context.Context, u *store.User, login *kerberos.Login, p *directory.Person) (*store.User, error) {
	now := *u
	if login.PAC != nil && login.PAC.FullName != "" {
		now.FullName = login.PAC.FullName
	}
	if r := a.realm(login.Principal.Realm); login.PAC != nil && r != nil && len(r.Groups) > 0 {
		now.Groups = r.GroupNames(login.PAC.SID, login.PAC.Groups)
	}
	return a.takeOver(ctx, u, now, p)
}

// realm is the configuration of a trusted realm, or nil.
func (a *Authn) realm(name string) *kerberos.Realm {
	for i := range a.Section.Realms {
		if a.Section.Realms[i].Name == name {
			return &a.Section.Realms[i]
		}
	}
	return nil
}

// Refuse books the refusal of what is no credential at all, of whoever typed
// name (may be empty); the error is a *reason.Error.
func (a *Authn) Refuse(ctx context.Context, from policy.From, name string, code reason.Code, detail string) error {
	return a.fail(ctx, from, printable(name), reason.Refuse(code, detail))
}

// fail writes the audit entry of a refused credential. Trouble of our own (the
// database, a caller that went away) is passed on and is no refusal.
func (a *Authn) fail(ctx context.Context, from policy.From, name string, err error) error {
	return a.failOf(ctx, from, "", name, err)
}

// failOfNobody is fail where nobody may be known: a token that no key of ours has opened, a
// passkey that is nobody's, an upstream that names no one. Anybody can bring that about
// without end, so of one customer's network the audit log has each reason once in ten minutes.
func (a *Authn) failOfNobody(ctx context.Context, from policy.From, name string, err error) error {
	var refused *reason.Error
	if !errors.As(err, &refused) || refused.Name != "" || refused.UserID != "" {
		return a.fail(ctx, from, name, err)
	}
	what := secret.Hash(secret.String(string(refused.Reason) + "\x00" + name + "\x00" + policy.Customer(from.Address)))
	first, seenErr := a.Store.SeenOnce(context.WithoutCancel(ctx), store.UseRefusal, what, a.Now().Add(originWindow))
	if seenErr != nil {
		return fmt.Errorf("audit of a failed login: %w", seenErr)
	}
	if !first {
		err = repeated(err)
	}
	return a.fail(ctx, from, name, err)
}

// noCredential is what anybody can send, as often as they like and under whatever name,
// and what nobody looks at. The audit log is kept for ever.
var noCredential = []reason.Code{reason.Malformed, reason.MalformedInput, reason.TokenTooBig, reason.PasswordsDiffer, reason.Busy}

// failOf is fail for a user who is known: its entry is found in the user's own history.
func (a *Authn) failOf(ctx context.Context, from policy.From, userID, name string, err error) error {
	var found *reason.Error
	if !errors.As(err, &found) {
		return err
	}
	copied := *found // several callers may hold the error of one check
	refused := &copied
	if refused.Name == "" {
		refused.Name = name
	}
	if refused.Unasked || slices.Contains(noCredential, refused.Reason) {
		return refused // the log line says so, and the database has enough to do
	}
	entry := store.Entry{
		Event: audit.LoginFailed, Reason: string(refused.Reason), UserID: cmp.Or(userID, refused.UserID), Name: refused.Name, ClientID: from.ClientID,
		Address: from.Address.String(), Agent: from.Agent, RequestID: from.RequestID, Detail: refused.Explain(),
	}
	if auditErr := a.Store.Audit(context.WithoutCancel(ctx), entry); auditErr != nil {
		return fmt.Errorf("audit of a failed login: %w", auditErr)
	}
	return refused
}
