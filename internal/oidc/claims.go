package oidc

import (
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/store"
)

// appendUser adds the claims that a scope stands for (OIDC Core §5.4), as far as
// the client may see them. sub is not among them: it is in every token.
func (p *Provider) appendUser(o *object, u *store.User, c *store.Client, scope string) {
	if clients.HasScope(scope, protocol.ScopeProfile) {
		o.text("name", u.FullName)
		o.text("preferred_username", preferredUsername(c.PreferredUsername, u.Name, p.Realm))
	}
	if clients.HasScope(scope, protocol.ScopeEmail) && u.Email != "" {
		o.text("email", u.Email)
		o.boolean("email_verified", u.EmailVerified)
	}
	if clients.HasScope(scope, clients.ScopeGroups) {
		o.list("groups", visibleGroups(c, u.Groups))
	}
}

// visibleGroups are those of a user's groups that a client is shown; never nil,
// for a member of no group has an empty list, which is not "unknown".
func visibleGroups(c *store.Client, groups []string) []string {
	visible := []string{}
	for _, g := range groups {
		if len(c.Groups) == 0 || slices.ContainsFunc(c.Groups, func(pattern string) bool { return groupMatches(pattern, g) }) {
			visible = append(visible, g)
		}
	}
	return visible
}

// groupMatches compares with a name or prefix*.
func groupMatches(pattern, group string) bool {
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(group, prefix)
	}
	return pattern == group
}

// preferredUsername fills a client's template: {name}, {realm}, and {domain},
// the realm's first label as Windows writes it. A name without a realm is of the
// default one. Two people must never come out alike: an upstream's user (id:name)
// keeps the name, and so does one of another realm unless the template says the
// whole realm, for two realms may share their first label.
func preferredUsername(template, name, realm string) string {
	if template == "" || template == "{name}" || strings.Contains(name, ":") {
		return name
	}
	if at := strings.LastIndexByte(name, '@'); at >= 0 {
		if !strings.Contains(template, "{realm}") {
			return name
		}
		name, realm = name[:at], name[at+1:]
	}
	domain, _, _ := strings.Cut(realm, ".")
	return strings.NewReplacer("{name}", name, "{realm}", realm, "{domain}", strings.ToUpper(domain)).Replace(template)
}
