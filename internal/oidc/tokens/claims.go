package tokens

import (
	"encoding/json"
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/store"
)

// UserClaim is a claim about a person, and the scope that stands for it
// (OIDC Core §5.4).
type UserClaim struct {
	Name, Scope string
	add         func(t *Tokens, o *wire.Object, u *store.User, c *store.Client)
}

// UserClaims are all that we tell about people (OIDC Core §5.1), as far as a
// client may see it; those that are not known of a user are left out. sub is not
// among them: it is in every token.
var UserClaims = []UserClaim{
	{"name", protocol.ScopeProfile, text("name", func(u *store.User) string { return u.FullName })},
	{"given_name", protocol.ScopeProfile, text("given_name", func(u *store.User) string { return u.Claims.GivenName })},
	{"family_name", protocol.ScopeProfile, text("family_name", func(u *store.User) string { return u.Claims.FamilyName })},
	{"middle_name", protocol.ScopeProfile, text("middle_name", func(u *store.User) string { return u.Claims.MiddleName })},
	{"nickname", protocol.ScopeProfile, text("nickname", func(u *store.User) string { return u.Claims.Nickname })},
	{"preferred_username", protocol.ScopeProfile, addPreferredUsername},
	{"profile", protocol.ScopeProfile, text("profile", func(u *store.User) string { return u.Claims.Profile })},
	{"picture", protocol.ScopeProfile, text("picture", func(u *store.User) string { return u.Claims.Picture })},
	{"website", protocol.ScopeProfile, text("website", func(u *store.User) string { return u.Claims.Website })},
	{"gender", protocol.ScopeProfile, text("gender", func(u *store.User) string { return u.Claims.Gender })},
	{"birthdate", protocol.ScopeProfile, text("birthdate", func(u *store.User) string { return u.Claims.Birthdate })},
	{"zoneinfo", protocol.ScopeProfile, text("zoneinfo", func(u *store.User) string { return u.Claims.Zoneinfo })},
	{"locale", protocol.ScopeProfile, text("locale", func(u *store.User) string { return u.Claims.Locale })},
	{"updated_at", protocol.ScopeProfile, addUpdatedAt},
	{"email", protocol.ScopeEmail, text("email", func(u *store.User) string { return u.Email })},
	{"email_verified", protocol.ScopeEmail, addEmailVerified},
	{"phone_number", protocol.ScopePhone, text("phone_number", func(u *store.User) string { return u.Claims.PhoneNumber })},
	{"phone_number_verified", protocol.ScopePhone, addPhoneVerified},
	{"address", protocol.ScopeAddress, addAddress},
	{clients.ScopeGroups, clients.ScopeGroups, addGroups},
}

// AppendUser adds the claims that a scope stands for, and those asked for by name
// that the client may still have.
func (t *Tokens) AppendUser(o *wire.Object, u *store.User, c *store.Client, scope string, asked []string) {
	last, granted, may := "", false, false // claims of a scope stand together
	for _, claim := range UserClaims {
		if claim.Scope != last {
			last, granted = claim.Scope, clients.HasScope(scope, claim.Scope)
			may = len(asked) > 0 && clients.HasScope(clients.Scope(c), claim.Scope)
		}
		if granted || (may && slices.Contains(asked, claim.Name)) {
			claim.add(t, o, u, c)
		}
	}
}

// Tells reports whether AppendUser adds the claim of this name, where it is known.
func Tells(c *store.Client, scope string, asked []string, name string) bool {
	return slices.ContainsFunc(UserClaims, func(claim UserClaim) bool {
		return claim.Name == name && (clients.HasScope(scope, claim.Scope) || slices.Contains(asked, name) && clients.HasScope(clients.Scope(c), claim.Scope))
	})
}

// text makes a claim of a text, which is left out when it is empty.
func text(name string, of func(*store.User) string) func(*Tokens, *wire.Object, *store.User, *store.Client) {
	return func(_ *Tokens, o *wire.Object, u *store.User, _ *store.Client) { o.Text(name, of(u)) }
}

func addPreferredUsername(t *Tokens, o *wire.Object, u *store.User, c *store.Client) {
	o.Text("preferred_username", t.Username(c, u))
}

func addUpdatedAt(_ *Tokens, o *wire.Object, u *store.User, _ *store.Client) {
	o.Time("updated_at", u.UpdatedAt)
}

func addEmailVerified(_ *Tokens, o *wire.Object, u *store.User, _ *store.Client) {
	if u.Email != "" {
		o.Boolean("email_verified", u.EmailVerified)
	}
}

func addPhoneVerified(_ *Tokens, o *wire.Object, u *store.User, _ *store.Client) {
	if u.Claims.PhoneNumber != "" {
		o.Boolean("phone_number_verified", u.Claims.PhoneNumberVerified)
	}
}

// addAddress: OIDC Core §5.1.1.
func addAddress(_ *Tokens, o *wire.Object, u *store.User, _ *store.Client) {
	a := u.Claims.Address
	if a == (store.Address{}) {
		return
	}
	in := wire.NewObject(256)
	in.Text("formatted", a.Formatted)
	in.Text("street_address", a.StreetAddress)
	in.Text("locality", a.Locality)
	in.Text("region", a.Region)
	in.Text("postal_code", a.PostalCode)
	in.Text("country", a.Country)
	o.Raw("address", in.Close())
}

func addGroups(_ *Tokens, o *wire.Object, u *store.User, c *store.Client) {
	o.List(clients.ScopeGroups, clients.VisibleGroups(c, u.Groups))
}

// Username is the name of a user as a client sees it.
func (t *Tokens) Username(c *store.Client, u *store.User) string {
	return preferredUsername(c.PreferredUsername, u.Name, t.Realm)
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

// AskedClaims are names of claims about the user, asked for one by one beside
// what the scope stands for. This is what a code and a grant keep, as JSON.
type AskedClaims struct {
	IDToken  []string `json:"id_token,omitempty"`
	Userinfo []string `json:"userinfo,omitempty"`
}

// Encode is what ReadAskedClaims reads; empty when nothing is asked.
func (c AskedClaims) Encode() string {
	if len(c.IDToken) == 0 && len(c.Userinfo) == 0 {
		return ""
	}
	b, err := json.Marshal(c)
	if err != nil { // names always marshal
		panic(err)
	}
	return string(b)
}

// ReadAskedClaims reads what Encode wrote.
func ReadAskedClaims(text string) (c AskedClaims, err error) {
	if text != "" {
		err = json.Unmarshal([]byte(text), &c)
	}
	return c, err
}

// ClaimsAlone are the claims asked for by themselves (OIDC Core §5.5) that no scope
// of the request stands for already, and that the client may have.
func ClaimsAlone(client *store.Client, asked AskedClaims, scope string) (alone []string) {
	for _, c := range UserClaims {
		named := slices.Contains(asked.Userinfo, c.Name) || slices.Contains(asked.IDToken, c.Name)
		if named && !clients.HasScope(scope, c.Scope) && clients.HasScope(clients.Scope(client), c.Scope) {
			alone = append(alone, c.Name)
		}
	}
	return alone
}
