package upstream

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/oauth2"

	"idp/internal/reason"
	"idp/internal/store"
)

const (
	maxText   = 256  // bytes of a name or a mail address
	maxGroups = 1000 // of a person, at the upstream
)

// Profile is what an upstream says of a person, by the rules of its entry.
type Profile struct {
	Name          string // what it calls them
	FullName      string
	Email         string
	EmailVerified bool     // it says so, and its entry believes it of the address's domain
	Theirs        []string // groups as the upstream has them; for allow_groups alone
	Groups        []string // of ours: only those that a rule gives
}

// login is what the claims come to.
func (u *Upstream) login(ctx context.Context, m *metadata, left *store.UpstreamLogin, token *oauth2.Token, id *idToken) (*Login, error) {
	at, err := u.actedAt(left, id)
	if err != nil {
		return nil, err
	}
	claims := id.Claims
	if u.Userinfo {
		more, err := u.userinfo(ctx, m, token, id.Subject)
		if err != nil {
			return nil, err
		}
		claims = maps.Clone(more)
		maps.Copy(claims, id.Claims) // what is signed counts more
	}
	l := &Login{Subject: id.Subject, SID: text(id.Claims, "sid"), AuthTime: at, Profile: u.profile(claims)}
	l.ACR = u.ACR[text(id.Claims, "acr")]
	if u.Logout {
		l.IDToken = id.Raw
	}
	return l, nil
}

func (u *Upstream) profile(claims map[string]any) Profile {
	p := Profile{Name: text(claims, u.Claims.PreferredUsername), FullName: text(claims, u.Claims.Name), Theirs: texts(claims, u.Claims.Groups)}
	if email := text(claims, u.Claims.Email); strings.Count(email, "@") == 1 && !strings.ContainsAny(email, " <>\"") {
		p.Email = email
		p.EmailVerified = claims[u.Claims.EmailVerified] == true && u.believes(email)
	}
	for _, theirs := range p.Theirs {
		if ours := u.Groups[theirs]; ours != "" && !slices.Contains(p.Groups, ours) {
			p.Groups = append(p.Groups, ours)
		}
	}
	slices.Sort(p.Groups)
	return p
}

// believes: an upstream vouches for the addresses of domains that are its own, which
// its entry lists. A site that finds people by their mail address must not be told by
// one company's provider who works for another.
func (u *Upstream) believes(email string) bool {
	_, domain, _ := strings.Cut(email, "@")
	return slices.ContainsFunc(u.AllowDomains, func(d string) bool { return d == anyDomain || strings.EqualFold(d, domain) })
}

// admits refuses whoever is not of the domains and groups that may log in by it.
func (u *Upstream) admits(l *Login) error {
	p := l.Profile
	switch {
	case len(u.AllowDomains) > 0 && !slices.Contains(u.AllowDomains, anyDomain) && !p.EmailVerified:
		return reason.Refuse(reason.UpstreamNotAllowed, fmt.Sprintf("the mail address %+q is not verified, or not of allow_domains", p.Email))
	case len(u.AllowGroups) > 0 && !slices.ContainsFunc(u.AllowGroups, func(g string) bool { return slices.Contains(p.Theirs, g) }):
		return reason.Refuse(reason.UpstreamNotAllowed, "in none of allow_groups; its groups: "+reason.Short(fmt.Sprintf("%+q", p.Theirs)))
	}
	return nil
}

// Managed are the groups that its rules give: those it may take away, too.
func (u *Upstream) Managed() []string {
	all := slices.Sorted(maps.Values(u.Groups))
	return slices.Compact(all)
}

// ACRValues are its own levels that stand for one of ours that is enough.
func (u *Upstream) ACRValues(enough func(ours string) bool) string {
	var all []string
	for theirs, ours := range u.ACR {
		if enough(ours) && !strings.Contains(theirs, " ") {
			all = append(all, theirs)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// text is a claim that is one line of text; else nothing was said.
func text(claims map[string]any, name string) string {
	s, _ := claims[name].(string)
	if !oneLine(s) {
		return ""
	}
	return strings.TrimSpace(s)
}

func oneLine(s string) bool {
	return len(s) <= maxText && utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// texts is a claim that is a list of texts, or one text.
func texts(claims map[string]any, name string) (all []string) {
	switch v := claims[name].(type) {
	case string:
		if v != "" && oneLine(v) {
			all = append(all, v)
		}
	case []any:
		for _, one := range v[:min(len(v), maxGroups)] {
			if s, ok := one.(string); ok && s != "" && oneLine(s) {
				all = append(all, s)
			}
		}
	}
	return all
}
