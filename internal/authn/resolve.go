package authn

import (
	"context"
	"errors"
	"slices"
	"strings"

	"idp/internal/kerberos"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/store"
)

// account is who can check a typed name's password.
type account struct {
	canonical string // its one name, under which a browser remembers that it logged in
	counted   string // guesses are counted under this: the canonical name, of outsiders apart
	known     bool   // to the browser
	network   string // it is asked from
	origin    store.Origin
	local     *store.User   // a local user, or nil
	name      kerberos.Name // else the principal to ask the KDC for
	unknown   bool          // nobody can check it
	typed     string        // of unknown: to the letter
	why       string        // nobody can
	outside   bool          // the KDC is not asked for clients outside
}

// asked is who the password is said to be of, to the letter.
func (acc *account) asked() string {
	switch {
	case acc.unknown:
		return "nobody:" + acc.typed
	case acc.local != nil:
		return "local:" + acc.local.Name
	case acc.outside:
		return acc.counted
	}
	kind := "kdc:"
	if acc.name.Enterprise {
		kind = "upn:"
	}
	return kind + acc.name.Realm + ":" + acc.name.Name
}

// outsiders begins the names that guesses from outside are counted under.
const outsiders = "outside:"

// class keeps those apart who bring the same password at the same moment, and of whom
// one may be refused and the other not.
func (acc *account) class() string {
	if acc.known {
		return "known"
	}
	return acc.origin.Network
}

// accountOf is resolve, and where a credential may be checked for whom.
func (a *Authn) accountOf(ctx context.Context, name string, from policy.From) (account, error) {
	acc, err := a.resolve(ctx, name)
	if err != nil {
		return acc, err
	}
	apart := a.place(&acc, from)
	if acc.local == nil && !acc.unknown {
		if apart { // The KDC is not asked. To the visitor it is a wrong password, counted as one.
			acc.outside, acc.why = true, whyOutside(from)
		} else if acc.canonical, err = a.countedUnder(ctx, acc.name, acc.network); err != nil {
			return acc, err
		}
		a.place(&acc, from)
	}
	return acc, nil
}

// place says how guesses at an account are counted from where they come, and whether
// those of outsiders are counted apart: they use up no guess of those inside. A local
// user's are counted like those of a name that the KDC would know, or "too many" would
// tell one from the other.
func (a *Authn) place(acc *account, from policy.From) (apart bool) {
	apart = a.passwords != nil && !a.Section.PasswordFromOutside && !policy.Inside(a.Section.OfferTo, from)
	acc.network, acc.origin, acc.counted = policy.Network(from.Address), a.origin(from), acc.canonical
	if apart {
		acc.counted = outsiders + acc.canonical
	}
	acc.known = from.Known != nil && from.Known(acc.canonical)
	return apart
}

// resolve decides who checks the password: a name with a trusted realm, or its
// Windows short name → its KDC; a local user of exactly that name → its hash; a
// userPrincipalName → the KDC of the realm that has its suffix; a bare name → the
// default realm. A name with any other realm is nobody's.
func (a *Authn) resolve(ctx context.Context, name string) (account, error) {
	if base, realm, ok := a.splitRealm(name); ok {
		return atKDC(base, realm), nil
	}
	u, err := a.Store.UserByName(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return account{}, err
	}
	if u != nil && u.PasswordHash != "" {
		return account{canonical: a.countedHere(u.Name), local: u}, nil
	}
	if realm, ok := a.suffixOf(name); ok {
		acc := atKDC(name, realm)
		acc.name.Enterprise = true
		return acc, nil
	}
	if a.passwords == nil || len(a.Section.Realms) == 0 || strings.ContainsAny(name, `@\`) {
		return account{canonical: a.countedHere(name), typed: name, unknown: true, why: a.whyUnknown(name)}, nil
	}
	return atKDC(name, a.Section.Realms[0].Name), nil
}

// whyOutside tells the log why a client counts as outside.
func whyOutside(from policy.From) string {
	if from.Outside {
		return "kerberos.password_from_outside is off, and the request was forwarded by a peer that is not in trusted_proxies, or by a trusted proxy that did not say for whom"
	}
	return "kerberos.password_from_outside is off, and " + from.Address.String() + " is not in kerberos.offer_to"
}

// whyUnknown tells the log why a name is asked of nobody.
func (a *Authn) whyUnknown(name string) string {
	switch {
	case a.passwords == nil:
		return "no local user of that name, and no kerberos section"
	case strings.Contains(name, `\`):
		return "no local user of that name, and what stands before \\ is no realm's netbios in kerberos.realms"
	case strings.Contains(name, "@"):
		return "no local user of that name, and what stands behind @ is neither the name nor in upn_suffixes of one of kerberos.realms"
	default:
		return "no local user of that name"
	}
}

// splitRealm splits alice@REALM and AD\alice where the realm is trusted, however
// it is spelled.
func (a *Authn) splitRealm(name string) (base, realm string, ok bool) {
	if a.passwords == nil {
		return "", "", false
	}
	at, back := strings.LastIndexByte(name, '@'), strings.IndexByte(name, '\\')
	for _, r := range a.Section.Realms {
		switch {
		case at > 0 && strings.EqualFold(r.Name, name[at+1:]):
			return name[:at], r.Name, true
		case back > 0 && back < len(name)-1 && (strings.EqualFold(r.NetBIOS, name[:back]) || strings.EqualFold(r.Name, name[:back])):
			return name[back+1:], r.Name, true
		}
	}
	return "", "", false
}

// suffixOf finds the realm whose userPrincipalNames end as a name does.
func (a *Authn) suffixOf(name string) (realm string, ok bool) {
	at := strings.LastIndexByte(name, '@')
	if at <= 0 || a.passwords == nil {
		return "", false
	}
	for _, r := range a.Section.Realms {
		if slices.ContainsFunc(r.UPNSuffixes, func(s string) bool { return strings.EqualFold(s, name[at+1:]) }) {
			return r.Name, true
		}
	}
	return "", false
}

// atKDC names a principal and how its guesses are counted.
func atKDC(base, realm string) account {
	return account{canonical: countedAtKDC(base, realm), name: kerberos.Name{Name: base, Realm: realm}}
}

// countedAtKDC folds the name, so that no spelling gets guesses of its own.
func countedAtKDC(name, realm string) string { return "kdc:" + realm + ":" + folded(name) }

// countedHere is how guesses at a name without a realm are counted. Where the default
// realm is asked for the names that nobody has here, they are counted alike: else three
// guesses at BOB and one at bob would tell whether there is a local user bob.
func (a *Authn) countedHere(name string) string {
	if a.passwords == nil || len(a.Section.Realms) == 0 {
		return "local:" + folded(name)
	}
	return countedAtKDC(name, a.Section.Realms[0].Name)
}

// countedUnder finds the name that guesses at an account's password are counted
// under. Active Directory takes several names for one account, so it is the name
// that the KDC tells before it hears a password: two names must not give twice the
// guesses. An account that it tells nothing of is counted as it was typed.
func (a *Authn) countedUnder(ctx context.Context, n kerberos.Name, network string) (string, error) {
	leave, err := a.asking.enter(countedAtKDC(n.Name, n.Realm), network)
	if err != nil {
		return "", err
	}
	defer leave()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	name, err := a.passwords.AccountOf(ctx, n)
	switch code := reason.Of(err); {
	case code == reason.Unreachable || code == reason.KDCError || err != nil && code == "":
		return "", err
	case err == nil && name != n.Name:
	case n.Enterprise: // one that is nobody's, or of which the KDC tells nothing, counts as the name it most likely has
		name, _, _ = strings.Cut(n.Name, "@")
	default:
		name = n.Name
	}
	return countedAtKDC(name, n.Realm), nil
}
