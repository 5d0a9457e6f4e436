package upstream

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"idp/internal/fetch"
)

// Config is one entry of upstreams in the configuration file. What an upstream says of
// a person counts only as far as it says so here.
type Config struct {
	ID     string `yaml:"id"`     // in paths and names: upstream users are called id:name
	Name   string `yaml:"name"`   // on the button; default: the id
	Issuer string `yaml:"issuer"` // as its ID tokens say

	// what we are there
	ClientID         string   `yaml:"client_id"`
	ClientSecretFile string   `yaml:"client_secret_file"`
	ClientKeyFile    string   `yaml:"client_key_file"`            // PEM, for private_key_jwt
	ClientKeyID      string   `yaml:"client_key_id"`              // kid of that key there; empty: none is sent
	AuthMethod       string   `yaml:"token_endpoint_auth_method"` // default: by the file there is
	Scopes           []string `yaml:"scopes"`                     // default: openid profile email
	AllowPrivate     bool     `yaml:"allow_private"`              // it is in our own networks
	Userinfo         bool     `yaml:"userinfo"`                   // claims that are not in the ID token are asked for

	// who may come
	Create       string   `yaml:"create"`        // invited or first_login; default: invited
	AllowDomains []string `yaml:"allow_domains"` // of verified mail addresses; empty: any address, never verified here; *: any, verified
	AllowGroups  []string `yaml:"allow_groups"`  // its own groups, to the letter; empty: everybody

	// what is believed
	Claims Claims            `yaml:"claims"`
	Groups map[string]string `yaml:"groups"` // its group → ours
	ACR    map[string]string `yaml:"acr"`    // its acr → ours
	Logout bool              `yaml:"logout"` // signing out here signs out there
}

// Claims are the names of its claims that say what ours do.
type Claims struct {
	PreferredUsername string `yaml:"preferred_username"`
	Name              string `yaml:"name"`
	Email             string `yaml:"email"`
	EmailVerified     string `yaml:"email_verified"`
	Groups            string `yaml:"groups"`
}

// What create may be.
const (
	CreateInvited    = "invited"
	CreateFirstLogin = "first_login"
)

// How we authenticate at its token endpoint (OIDC Core §9).
const (
	byBasic = "client_secret_basic"
	byPost  = "client_secret_post"
	byKey   = "private_key_jwt"
	public  = "none"
)

// Problem is what is wrong with one entry, by its index.
type Problem struct {
	Entry             int
	Field, Text, Hint string
}

var plainID = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Problems says what is wrong with the entries; ours is our own issuer. Levels of
// authentication are for whoever knows them.
func Problems(entries []Config, ours string) (found []Problem) {
	ids, issuers := map[string]bool{}, map[string]bool{}
	for i, c := range entries {
		add := func(field, text, hint string) { found = append(found, Problem{i, field, text, hint}) }
		switch {
		case !plainID.MatchString(c.ID):
			add("id", fmt.Sprintf("%q: want small letters, digits and hyphens, a letter first, at most 32", c.ID), "it is in the redirect URI and in front of names, and stays as it is")
		case ids[c.ID]:
			add("id", fmt.Sprintf("%q is there twice", c.ID), "")
		}
		switch problem := issuerProblem(c); {
		case problem != "":
			add("issuer", problem, "as its discovery document and its ID tokens have it: https://login.partner.example")
		case c.Issuer == ours:
			add("issuer", "is this idp itself", "")
		case issuers[c.Issuer]:
			add("issuer", "is there twice", "its people are found by it: two entries would be two doors to the same accounts")
		}
		ids[c.ID], issuers[c.Issuer] = true, true
		if c.ClientID == "" {
			add("client_id", "is missing", "what the upstream calls this idp")
		}
		c.authProblems(add)
		c.peopleProblems(add)
	}
	return found
}

func issuerProblem(c Config) string {
	u, err := url.Parse(c.Issuer)
	if bad := fetch.Check(c.Issuer); bad != nil || err != nil {
		return fmt.Sprintf("%q is no https URL", c.Issuer)
	}
	switch {
	case u.RawQuery != "" || u.ForceQuery || strings.HasSuffix(c.Issuer, "#"):
		return "has a query or a fragment"
	case u.Scheme == "http" && !c.AllowPrivate:
		return "http is for an upstream on this very machine, with allow_private"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "http is for an upstream on this very machine"
	}
	return ""
}

func loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || (err == nil && a.IsLoopback())
}

func (c Config) authProblems(add func(field, text, hint string)) {
	secret, key := c.ClientSecretFile != "", c.ClientKeyFile != ""
	switch c.AuthMethod {
	case "":
		if secret == key {
			add("client_secret_file", "want either client_secret_file or client_key_file", "or token_endpoint_auth_method: none, where the upstream gave no secret")
		}
	case byBasic, byPost:
		if !secret || key {
			add("client_secret_file", "is missing, or client_key_file is there too", "token_endpoint_auth_method says "+c.AuthMethod)
		}
	case byKey:
		if !key || secret {
			add("client_key_file", "is missing, or client_secret_file is there too", "token_endpoint_auth_method says "+c.AuthMethod)
		}
	case public:
		if secret || key {
			add("token_endpoint_auth_method", "is none, and there is a secret or a key", "")
		}
	default:
		add("token_endpoint_auth_method", fmt.Sprintf("%q is none that we know", c.AuthMethod), strings.Join([]string{byBasic, byPost, byKey, public}, ", "))
	}
}

func (c Config) peopleProblems(add func(field, text, hint string)) {
	if c.Create != "" && c.Create != CreateInvited && c.Create != CreateFirstLogin {
		add("create", fmt.Sprintf("%q is neither %s nor %s", c.Create, CreateInvited, CreateFirstLogin), "invited: whoever is linked to a user here; first_login: everybody, and a user is made")
	}
	if len(c.Scopes) > 0 && !slices.Contains(c.Scopes, "openid") {
		add("scopes", "lack openid", "without it there is no ID token")
	}
	for _, d := range c.AllowDomains {
		if d != anyDomain && (d == "" || strings.ContainsAny(d, "@*/ ") || !strings.Contains(d, ".")) {
			add("allow_domains", fmt.Sprintf("%q is no domain", d), "partner.example, for exactly that one; * for all")
		}
	}
	for theirs, ours := range c.Groups {
		if theirs == "" || ours == "" {
			add("groups", "a group without a name", "its group: ours")
		}
	}
}

// anyDomain in allow_domains: the upstream is believed about any mail address.
const anyDomain = "*"

// withDefaults fills in what is not said.
func (c Config) withDefaults() Config {
	or := func(s *string, text string) {
		if *s == "" {
			*s = text
		}
	}
	or(&c.Name, c.ID)
	or(&c.Create, CreateInvited)
	or(&c.Claims.PreferredUsername, "preferred_username")
	or(&c.Claims.Name, "name")
	or(&c.Claims.Email, "email")
	or(&c.Claims.EmailVerified, "email_verified")
	or(&c.Claims.Groups, "groups")
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"openid", "profile", "email"}
	}
	if c.AuthMethod == "" && c.ClientKeyFile != "" {
		c.AuthMethod = byKey
	}
	return c
}
