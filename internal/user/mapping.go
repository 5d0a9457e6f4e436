// Package user decides who a person is: it owns names, local passwords and the
// mapping from what a source outside says (a Kerberos principal, an upstream's
// sub) to one row of the users table.
//
// A user's name is what sites see as preferred_username and Remote-User, so a
// name borrowed is an account taken over. Therefore a name is unique, never
// reused, and never chosen by whoever logs in: the default realm's alice is
// "alice", another realm's is "alice@OTHER.REALM". What finds a user again is
// never the name but the identity: (realm, SID) where the ticket tells the SID,
// else (realm, principal). So an account that is renamed in the directory stays
// the same user here, under the name it first had, and one that is deleted and
// made again is somebody else. Whoever comes with a new identity and a name that
// is held already is refused with NAME_TAKEN until an admin decides
// (`idp user link`).
//
// A realm may begin to tell SIDs after its people have logged in without: the
// first ticket with a SID upgrades the identity that is keyed by the principal.
// From then on the realm's tickets without one are refused: a client can ask its
// KDC to leave the PAC out, and the name in such a ticket is whatever was typed to
// get it, in any spelling, or an alias.
package user

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"idp/internal/audit"
	"idp/internal/store"
)

// Sentinels of this package; a caller turns each into a reason code.
var (
	// ErrNameTaken: the name belongs to a user that this identity is not linked to.
	ErrNameTaken = errors.New("the name belongs to another identity")
	// ErrNotAPerson: a service or machine principal that kerberos.services does not name.
	ErrNotAPerson = errors.New("the principal is not a person")
	// ErrRealm: the principal's realm is not one that names users here.
	ErrRealm = errors.New("the realm is not trusted")
	// ErrDisabled: the user is there, and disabled.
	ErrDisabled = errors.New("the user is disabled")
	// ErrNoSID: the realm tells SIDs, and this ticket does not.
	ErrNoSID = errors.New("the ticket has no PAC, by which the accounts of its realm are told apart")
	// ErrName: not a name a user can have.
	ErrName = errors.New("not a usable name")
)

// MaxName is the longest user name, in bytes.
const MaxName = 256

// CheckName refuses what cannot be a user's name: empty, too long, not UTF-8,
// with white space, control characters, or one of the characters that mean
// something in headers, paths and principals.
func CheckName(name string) error {
	if name == "" || len(name) > MaxName || !utf8.ValidString(name) {
		return fmt.Errorf("%w: it must be 1 to %d bytes of UTF-8", ErrName, MaxName)
	}
	for _, r := range name {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) || strings.ContainsRune(`/\:,;"'<>`, r) {
			return fmt.Errorf("%w: %q is not allowed in it", ErrName, r)
		}
	}
	return nil
}

// Realm is one trusted realm: the first of a Mapping is the default realm, whose
// principals keep their bare name.
type Realm struct {
	Name string
	Case string // insensitive, exact, or empty: insensitive where the ticket carries a SID

	// A ticket without a SID is refused when SIDRequired, and unless SIDOptional
	// once the realm has told one.
	SIDRequired, SIDOptional bool
}

// Principal is what a ticket says of a person.
type Principal struct {
	Text       string // as Kerberos writes it, with "/", "@" and "\\" inside a component escaped
	Components []string
	Realm      string
	SID        string // empty where the ticket carries no PAC with logon information
	FullName   string // from the PAC
}

// Mapping finds or makes the user of a principal. Immutable, safe for concurrent use.
type Mapping struct {
	Store    *store.Store
	Realms   []Realm
	Services map[string]string // Principal.Text → name of an existing user
}

// User returns the user behind a principal and makes one at its first login.
func (m *Mapping) User(ctx context.Context, p Principal) (*store.User, error) {
	if name, ok := m.Services[p.Text]; ok {
		return m.service(ctx, name)
	}
	i := slices.IndexFunc(m.Realms, func(r Realm) bool { return r.Name == p.Realm })
	if i < 0 {
		return nil, ErrRealm
	}
	// A component may hold any character: "alice@OTHER.REALM" of our own realm
	// must not become the name of the other realm's alice.
	if len(p.Components) != 1 || strings.ContainsAny(p.Components[0], `$/@\`) {
		return nil, ErrNotAPerson
	}
	name := m.Realms[i].Fold(p.Components[0], p.SID != "")
	id := Identity(p.Realm, p.SID, name)
	if p.SID != "" {
		if err := m.upgrade(ctx, id, name, p.Components[0]); err != nil {
			return nil, err
		}
	} else if err := m.mayHaveNoSID(ctx, m.Realms[i], id.Source); err != nil {
		return nil, err
	}
	if i > 0 {
		name += "@" + p.Realm
	}
	return m.findOrMake(ctx, id, name, p.FullName)
}

// SourceKerberos begins the Source of an Identity of a realm, whose name follows.
const SourceKerberos = "kerberos:"

// Identity is how a realm's account is found again: by its SID, or where there
// is none by the name of its principal, folded as the realm's rule says.
func Identity(realm, sid, name string) store.Identity {
	if sid != "" {
		return store.Identity{Source: SourceKerberos + realm, Key: "sid:" + sid}
	}
	return store.Identity{Source: SourceKerberos + realm, Key: "name:" + name}
}

func (m *Mapping) mayHaveNoSID(ctx context.Context, r Realm, source string) error {
	if r.SIDRequired {
		return ErrNoSID
	}
	if r.SIDOptional {
		return nil
	}
	told, err := m.Store.HasIdentity(ctx, source, "sid:S", "sid:T") // every SID begins with an S
	if err == nil && told {
		err = ErrNoSID
	}
	return err
}

// upgrade gives the user of a principal, in each spelling it may have been
// written down in, the SID that the first ticket with a PAC tells.
func (m *Mapping) upgrade(ctx context.Context, to store.Identity, names ...string) error {
	if _, err := m.Store.UserByIdentity(ctx, to.Source, to.Key); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	for _, name := range names {
		err := m.Store.RekeyIdentity(ctx, to.Source, "name:"+name, to.Key, store.Entry{Actor: audit.ActorServer, Name: name, Detail: to.Source + " " + to.Key})
		if !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrConflict) {
			return err // also nil: done
		}
	}
	return nil
}

func (m *Mapping) service(ctx context.Context, name string) (*store.User, error) {
	u, err := m.Store.UserByName(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("%w: kerberos.services names %q, which is no user", ErrNotAPerson, name)
	}
	if err != nil {
		return nil, err
	}
	return enabled(u)
}

func (m *Mapping) findOrMake(ctx context.Context, id store.Identity, name, fullName string) (*store.User, error) {
	u, err := m.Store.UserByIdentity(ctx, id.Source, id.Key)
	if err == nil {
		return enabled(u)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err := CheckName(name); err != nil {
		return nil, err
	}
	made, err := m.Store.CreateUser(ctx, store.User{Name: name, FullName: fullName}, &id,
		store.Entry{Actor: audit.ActorServer, Name: name})
	if err == nil {
		return &made, nil
	}
	if !errors.Is(err, store.ErrConflict) {
		return nil, err
	}
	// Two first logins at once: the other one made this identity's user.
	if u, err = m.Store.UserByIdentity(ctx, id.Source, id.Key); err == nil {
		return enabled(u)
	}
	holder, err := m.Store.NameHolder(ctx, name)
	if err != nil {
		return nil, err
	}
	return nil, nameTaken(id, name, holder)
}

// nameTaken says what an admin may type to decide. The holder's name may differ in the
// case of its letters.
func nameTaken(id store.Identity, name, holder string) error {
	realm := strings.TrimPrefix(id.Source, SourceKerberos)
	what, key, _ := strings.Cut(id.Key, ":")
	if what == "name" {
		what = "principal"
	}
	if holder != name {
		name += " (as " + holder + ")"
	}
	return fmt.Errorf("%w: %s. The same person: idp user link '%s' --realm %s --%s '%s'; somebody else: the same with a new name and --create",
		ErrNameTaken, name, holder, realm, what, key)
}

func enabled(u *store.User) (*store.User, error) {
	if u.Disabled {
		return nil, ErrDisabled
	}
	return u, nil
}

// Fold writes a name as the realm's rule has it; hasSID: the ticket carried a PAC.
func (r Realm) Fold(name string, hasSID bool) string {
	if r.Case == "exact" || (r.Case == "" && !hasSID) {
		return name
	}
	return strings.ToLower(name)
}
