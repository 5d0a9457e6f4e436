package user

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"idp/internal/audit"
	"idp/internal/store"
)

// ErrNotInvited: nobody here is linked to this login at an upstream, and it makes no
// users.
var ErrNotInvited = errors.New("the login at the upstream belongs to nobody here")

const (
	maxUpstreamName = 64 // bytes of what an upstream calls somebody
	maxNumbered     = 50 // people of one name at one upstream
)

// UpstreamPerson is what a login at an upstream says of a person, checked and mapped by
// the rules of the configuration.
type UpstreamPerson struct {
	Upstream        string // its id in the configuration
	Issuer, Subject string
	Name            string // what it calls them
	FullName        string
	Email           string
	EmailVerified   bool
	Groups          []string // of ours, by explicit rules
	Managed         []string // all groups that the rules give: those that it may take away, too
	MakesUsers      bool     // at their first login
}

// Identity is how the person is found again: by nothing but issuer and sub, which alone
// stay (OIDC Core §5.7). A mail address is anybody's to claim.
func (p UpstreamPerson) Identity() store.Identity {
	id := UpstreamIdentity(p.Issuer, p.Subject)
	id.Label, id.Groups = p.label(), p.Groups
	return id
}

// UpstreamIdentity is how a login at an upstream is found again.
func UpstreamIdentity(issuer, subject string) store.Identity {
	return store.Identity{Source: store.SourceUpstream + issuer, Key: subject}
}

func (p UpstreamPerson) label() string {
	for _, text := range []string{p.Email, p.Name, p.FullName} {
		if text != "" {
			return text
		}
	}
	return ""
}

// Upstream finds the user of a login at an upstream, or makes one where that is
// configured, and takes over what the upstream says of them.
func (m *Mapping) Upstream(ctx context.Context, p UpstreamPerson) (*store.User, error) {
	id := p.Identity()
	u, err := m.Store.UserByIdentity(ctx, id.Source, id.Key)
	if errors.Is(err, store.ErrNotFound) {
		if !p.MakesUsers {
			return nil, notInvited(p)
		}
		return m.makeUpstream(ctx, p)
	}
	if err != nil {
		return nil, err
	}
	if u, err = enabled(u); err != nil {
		return nil, err
	}
	if err := m.Store.UseIdentity(ctx, id); err != nil {
		return nil, err
	}
	return m.vouched(ctx, u, p)
}

// notInvited says what an admin may type to invite the person.
func notInvited(p UpstreamPerson) error {
	quoted := "'" + strings.ReplaceAll(p.Subject, "'", `'\''`) + "'"
	return fmt.Errorf("%w: its sub is %s. To invite: idp user link NAME --upstream %s --subject %s, for somebody new with --create",
		ErrNotInvited, quoted, p.Upstream, quoted)
}

// makeUpstream makes the user of a first login: under a name that no other source can
// have, for CheckName lets no colon into those that people or realms choose, and with
// a number where the upstream calls two people alike.
func (m *Mapping) makeUpstream(ctx context.Context, p UpstreamPerson) (*store.User, error) {
	id, base := p.Identity(), UpstreamName(p.Upstream, p.Name, p.Subject)
	for n := 1; n <= maxNumbered+1; n++ {
		name := base
		switch {
		case n > maxNumbered: // so many are called alike: the sub is nobody else's
			name = UpstreamName(p.Upstream, "", p.Subject)
		case n > 1:
			name += strconv.Itoa(n)
		}
		made, err := m.Store.CreateUser(ctx, store.User{Name: name, FullName: p.FullName, Email: p.Email, EmailVerified: p.EmailVerified, Groups: p.Groups}, &id,
			store.Entry{Actor: audit.ActorServer, Name: name})
		if err == nil {
			return &made, nil
		}
		if !errors.Is(err, store.ErrConflict) {
			return nil, err
		}
		// Two first logins at once: the other one made this identity's user.
		if u, err := m.Store.UserByIdentity(ctx, id.Source, id.Key); !errors.Is(err, store.ErrNotFound) {
			if err != nil {
				return nil, err
			}
			return enabled(u)
		}
	}
	return nil, fmt.Errorf("%w: %s, and so with every number up to %d", ErrNameTaken, base, maxNumbered)
}

// UpstreamName is what a user is called whom a first login makes: the upstream's id, a
// colon, and what it calls them up to an @, in letters, digits, dots, underscores and
// hyphens of ASCII. A realm behind the @ would be read as one of ours, and letters
// that look like others as somebody else. Where nothing is left of it there are digits
// of the sub's hash.
func UpstreamName(upstream, name, subject string) string {
	name, _, _ = strings.Cut(strings.ToLower(name), "@")
	name = strings.Map(func(r rune) rune {
		if (r >= 'a' && r <= 'z') || (r >= '0' && r <= '9') || strings.ContainsRune("._-", r) {
			return r
		}
		return -1
	}, name)
	name = strings.Trim(name[:min(len(name), maxUpstreamName)], "._-")
	if name == "" {
		sum := sha256.Sum256([]byte(subject))
		name = hex.EncodeToString(sum[:5])
	}
	return upstream + ":" + name
}

// vouched takes over what the upstream says now. Of somebody whom its first login made
// here it is believed; of others, who were here before, it only fills what is empty:
// one of several ways to log in does not rename a person. The groups that its rules
// give are its own to give and to take, of everybody.
func (m *Mapping) vouched(ctx context.Context, u *store.User, p UpstreamPerson) (*store.User, error) {
	now := *u
	its := strings.HasPrefix(u.Name, p.Upstream+":")
	if p.FullName != "" && (its || u.FullName == "") {
		now.FullName = p.FullName
	}
	if p.Email != "" && (its || u.Email == "") {
		now.Email, now.EmailVerified = p.Email, p.EmailVerified
	}
	if len(p.Managed) > 0 {
		now.Groups = managed(u.Groups, p)
	}
	if now.FullName == u.FullName && now.Email == u.Email && now.EmailVerified == u.EmailVerified && slices.Equal(now.Groups, u.Groups) {
		return u, nil
	}
	entry := store.Entry{Actor: audit.ActorServer, UserID: u.ID, Name: u.Name, Detail: "from upstream " + p.Upstream}
	return &now, m.Store.SetVouchedProfile(ctx, now, entry)
}

// managed are the groups that a user has otherwise, then those that the rules give.
func managed(had []string, p UpstreamPerson) (groups []string) {
	for _, g := range had {
		if !slices.Contains(p.Managed, g) || slices.Contains(p.Groups, g) {
			groups = append(groups, g)
		}
	}
	for _, g := range p.Groups {
		if !slices.Contains(groups, g) {
			groups = append(groups, g)
		}
	}
	return groups
}
