package clients

import (
	"cmp"
	"context"
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/store"
	"idp/internal/web"
)

// A consent is what a user allows a relying party to get: items separated by
// spaces, a scope by its name, a claim that is asked for by itself and a resource
// with one of these before it. No scope holds a quotation mark (RFC 6749 §3.3),
// so nothing passes for what it is not.
const (
	claimItem    = `claim"`
	resourceItem = `resource"`
)

// ConsentItems is the consent that a relying party needs for a scope, claims
// (OIDC Core §5.5) and resources (RFC 8707). openid is always in it: a token says
// whose it is, whatever was asked for.
func ConsentItems(scope string, claims, resources []string) string {
	items := append([]string{protocol.ScopeOpenID}, strings.Fields(scope)...)
	for _, c := range claims {
		items = append(items, claimItem+c)
	}
	for _, r := range resources {
		items = append(items, resourceItem+r)
	}
	return FilterScope(strings.Join(items, " "), func(string) bool { return true })
}

// Remembered reports whether a consent to the client of an id counts the next time
// that it asks from a redirect URI (Proven).
func (r *Registry) Remembered(ctx context.Context, id, redirect string) bool {
	client, err := r.ByID(ctx, id)
	return err == nil && Proven(client, redirect)
}

// Shares says in plain words what a consent tells or gives a relying party of a
// user, and marks what was not in an earlier one; had is empty without one.
func (r *Registry) Shares(ctx context.Context, clientID string, u *store.User, consent, had string) []web.Share {
	client, err := r.ByID(ctx, clientID)
	if err != nil {
		client = &store.Client{ClientID: clientID} // gone from the file; what was allowed is still to be seen
	}
	items := strings.Fields(consent)
	slices.SortStableFunc(items, func(a, b string) int { return cmp.Compare(place(a), place(b)) })
	var shares []web.Share
	for _, item := range items {
		s := words(client, u, item)
		s.New = had != "" && !HasScope(had, item)
		shares = append(shares, s)
	}
	return shares
}

// shown is the order of a list for people: who they are first, what goes on
// while they are away last.
var shown = []string{protocol.ScopeOpenID, protocol.ScopeProfile, protocol.ScopeEmail, protocol.ScopePhone, protocol.ScopeAddress, ScopeGroups}

func place(item string) int {
	if at := slices.Index(shown, item); at >= 0 {
		return at
	}
	if item == protocol.ScopeOfflineAccess {
		return len(shown) + 1
	}
	return len(shown)
}

// words says what one item of a consent stands for.
func words(c *store.Client, u *store.User, item string) web.Share {
	if claim, ok := strings.CutPrefix(item, claimItem); ok {
		return web.Share{Text: cmp.Or(claimWords[claim], quoted(claim))}
	}
	if uri, ok := strings.CutPrefix(item, resourceItem); ok {
		return web.Share{Text: "To act for you at", Detail: uri}
	}
	switch item {
	case protocol.ScopeOpenID:
		return web.Share{Text: "An identifier that stands for you", Detail: "always the same one; with it, when and how you logged in"}
	case protocol.ScopeProfile:
		return web.Share{Text: "Your profile", Detail: strings.TrimPrefix(u.FullName+", ", ", ") + u.Name +
			"; nickname, picture, web pages, gender, birthday, time zone and language as far as they are known here"}
	case protocol.ScopeEmail:
		return web.Share{Text: claimWords["email"], Detail: cmp.Or(u.Email, unknown)}
	case protocol.ScopePhone:
		return web.Share{Text: claimWords["phone_number"], Detail: cmp.Or(u.Claims.PhoneNumber, unknown)}
	case protocol.ScopeAddress:
		return web.Share{Text: claimWords["address"], Detail: cmp.Or(oneLine(u.Claims.Address), unknown)}
	case ScopeGroups:
		return web.Share{Text: claimWords[ScopeGroups], Detail: groupWords(c, u)}
	case protocol.ScopeOfflineAccess:
		return web.Share{Text: "To stay logged in there while you are away", Detail: "until you take it back"}
	}
	return web.Share{Text: quoted(item)}
}

const unknown = "none is known here at present"

func quoted(name string) string { return "What the site calls “" + name + "”" }

func groupWords(c *store.Client, u *store.User) string {
	text := strings.Join(VisibleGroups(c, u.Groups), ", ")
	switch {
	case text == "":
		return "at present none that it may see"
	case len(c.Groups) > 0:
		return "those it may see: " + text
	}
	return text
}

func oneLine(a store.Address) string {
	if a.Formatted != "" {
		return strings.Join(strings.Split(strings.TrimSpace(a.Formatted), "\n"), ", ")
	}
	var parts []string
	for _, p := range []string{a.StreetAddress, a.PostalCode, a.Locality, a.Region, a.Country} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}

// claimWords are the claims that may be asked for by themselves.
var claimWords = map[string]string{
	"name":                  "Your name",
	"given_name":            "Your first name",
	"family_name":           "Your family name",
	"middle_name":           "Your middle name",
	"nickname":              "Your nickname",
	"preferred_username":    "Your user name",
	"profile":               "The address of your profile page",
	"picture":               "Your picture",
	"website":               "The address of your web page",
	"gender":                "Your gender",
	"birthdate":             "Your birthday",
	"zoneinfo":              "Your time zone",
	"locale":                "Your language",
	"updated_at":            "When your profile last changed",
	"email":                 "Your mail address",
	"email_verified":        "Whether your mail address was checked",
	"phone_number":          "Your telephone number",
	"phone_number_verified": "Whether your telephone number was checked",
	"address":               "Your postal address",
	ScopeGroups:             "The groups you are in",
}
