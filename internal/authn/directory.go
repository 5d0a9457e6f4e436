package authn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"idp/internal/audit"
	"idp/internal/directory"
	"idp/internal/store"
	"idp/internal/user"
)

// A ticket says who somebody was in the morning. Where there is a directory, it says
// who they are now: whether the account is still enabled, names, mail and groups. It is
// asked at every login and whenever something is given or told for one, at most every
// five minutes for each account. It vouches for whom it knows as enabled; what comes
// of their login may outlive the ticket. When it is silent or never knew the account,
// nothing is extended beyond what the ticket alone would have given.

// said is what the directory says of a user.
type said struct {
	person *directory.Person // it vouches for them; nil: it does not
	silent error             // why not, where it was asked
}

// note is for the log.
func (s said) note() string {
	if s.silent == nil {
		return ""
	}
	return s.silent.Error()
}

// AskDirectory asks the directory about a user, who is returned with the profile that
// it has now. vouches: it knows the account, and it is enabled. user.ErrDisabled: it
// says that it is not, and the user's sessions and grants have ended. About whom
// Kerberos does not name it is not asked.
func (a *Authn) AskDirectory(ctx context.Context, u *store.User) (now *store.User, vouches bool, err error) {
	s, err := a.askAbout(ctx, u, nil)
	if err != nil || s.person == nil {
		return u, false, err
	}
	now, err = a.takeOver(ctx, u, *u, s.person)
	return now, true, err
}

// identityOf is the identity that a principal proved; nil for a service, whose user
// has another, or none.
func (a *Authn) identityOf(p user.Principal) *store.Identity {
	i := slices.IndexFunc(a.mapping.Realms, func(r user.Realm) bool { return r.Name == p.Realm })
	if _, service := a.Section.Services[p.Text]; service || i < 0 || len(p.Components) != 1 {
		return nil
	}
	id := user.Identity(p.Realm, p.SID, a.mapping.Realms[i].Fold(p.Components[0], p.SID != ""))
	return &id
}

// askAbout asks about the accounts of a user: the one that a ticket proved, or (nil)
// all, of which one that is enabled is enough.
func (a *Authn) askAbout(ctx context.Context, u *store.User, proved *store.Identity) (s said, err error) {
	if a.Directory == nil {
		return s, nil
	}
	list, err := a.accountsOf(ctx, u.ID, proved)
	why := ""
	for _, k := range list {
		p, disabled, silent := a.judge(ctx, k)
		switch {
		case p != nil && !k.InDirectory:
			err = a.Store.SetInDirectory(ctx, k.Source, k.Key)
			a.people.forget(u.ID)
			fallthrough
		case p != nil:
			return said{person: p}, err
		case silent != nil:
			s.silent = silent
		default:
			why = disabled
		}
	}
	if err != nil || why == "" || s.silent != nil {
		return s, err
	}
	return s, a.end(ctx, u, why, proved)
}

// judge asks about one account: it is enabled (p), disabled (and why), or nothing is
// known. One that the directory has had and does not have any more is disabled, as
// long as idp can see anybody at all there.
func (a *Authn) judge(ctx context.Context, k knownAs) (p *directory.Person, disabled string, silent error) {
	p, err := a.Directory.Lookup(ctx, k.account)
	switch {
	case err == nil && p.Disabled != "":
		return nil, p.Disabled, nil
	case errors.Is(err, directory.ErrAbsent) && k.InDirectory && a.Directory.ShowsAnybody(ctx):
		return nil, "it is not there any more: " + err.Error(), nil
	}
	return p, "", err
}

// end ends what the logins of a user gave, unless another account of theirs is good.
func (a *Authn) end(ctx context.Context, u *store.User, why string, proved *store.Identity) error {
	refused := fmt.Errorf("%w: the directory says of the account: %s", user.ErrDisabled, why)
	if proved != nil {
		if _, err := a.askAbout(ctx, u, nil); err != nil && !errors.Is(err, user.ErrDisabled) {
			return err
		}
		return refused
	}
	err := a.Store.EndUser(context.WithoutCancel(ctx), u.ID, store.Entry{Actor: audit.ActorServer, Name: u.Name, Detail: why})
	if err != nil {
		return err
	}
	return refused
}

// takeOver writes what is another now: in the profile as the caller has it, and in
// what the directory says beside it (nil: nothing).
func (a *Authn) takeOver(ctx context.Context, u *store.User, now store.User, p *directory.Person) (*store.User, error) {
	entry := store.Entry{Actor: audit.ActorServer, UserID: u.ID, Name: u.Name, Detail: "from the ticket"}
	if p != nil {
		entry.Detail = "from the directory"
		now.FullName, now.Email = cmp.Or(p.FullName, now.FullName), cmp.Or(p.Email, now.Email)
		if a.Directory.TellsGroups() {
			now.Groups = p.Groups
		}
	}
	if now.FullName == u.FullName && now.Email == u.Email && slices.Equal(now.Groups, u.Groups) {
		return u, nil
	}
	now.EmailVerified = u.EmailVerified && now.Email == u.Email
	return &now, a.Store.SetProfile(ctx, u.ID, now.FullName, now.Email, now.Groups, entry)
}

// accountsKept is for how long it is known by what the directory knows a user, and of
// how many users.
const (
	accountsKept = 5 * time.Minute
	accountsMost = 20000
)

// knownAs is an account that the directory can be asked about.
type knownAs struct {
	store.KnownAs
	account directory.Account
}

// accounts remembers those of users. Safe for concurrent use.
type accounts struct {
	mu   sync.Mutex
	kept map[string]keptAccounts
}

type keptAccounts struct {
	list  []knownAs
	until time.Time
}

func (c *accounts) get(userID string, now time.Time) ([]knownAs, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.kept[userID]
	return k.list, ok && now.Before(k.until)
}

func (c *accounts) put(userID string, list []knownAs, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil || len(c.kept) >= accountsMost {
		c.kept = map[string]keptAccounts{}
	}
	c.kept[userID] = keptAccounts{list, until}
}

func (c *accounts) forget(userID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.kept, userID)
}

// accountsOf are the accounts of a user in the directory's realms: all, or (where it
// is not nil) the one that a ticket proved, which may be younger than what is kept.
func (a *Authn) accountsOf(ctx context.Context, userID string, proved *store.Identity) ([]knownAs, error) {
	is := func(k knownAs) bool { return proved == nil || k.Source == proved.Source && k.Key == proved.Key }
	list, ok := a.people.get(userID, a.Now())
	if i := slices.IndexFunc(list, is); ok && (proved == nil || i >= 0) {
		if proved != nil {
			list = list[i : i+1]
		}
		return list, nil
	}
	ids, err := a.Store.KnownAs(ctx, userID)
	if err != nil {
		return nil, err
	}
	all, asked := []knownAs(nil), []knownAs(nil)
	for _, id := range ids {
		if k := (knownAs{id, a.directoryAccount(id)}); k.account.Realm != "" {
			all = append(all, k)
			if is(k) {
				asked = append(asked, k)
			}
		}
	}
	a.people.put(userID, all, a.Now().Add(accountsKept))
	return asked, nil
}

// directoryAccount is what the directory is asked for; no realm: it is not.
func (a *Authn) directoryAccount(id store.KnownAs) (acc directory.Account) {
	realm, ok := strings.CutPrefix(id.Source, user.SourceKerberos)
	if !ok || !a.Directory.Knows(realm) {
		return acc
	}
	kind, key, _ := strings.Cut(id.Key, ":")
	if kind == "sid" {
		return directory.Account{Realm: realm, SID: key}
	}
	r := a.realm(realm)
	return directory.Account{Realm: realm, Name: key, Exact: r == nil || r.Case != "insensitive"}
}
