package clients

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"idp/internal/fetch"
	"idp/internal/keys"
	"idp/internal/store"
)

// MayAsk reports whether access tokens for a resource are for this client. Those
// that registered themselves have to be named, and nothing that a client of FAPI is
// given is signed with RS256 (Security Profile §5.4.1).
func MayAsk(c *store.Client, r store.Resource) bool {
	if FAPI(c) && r.AccessTokenAlg == keys.RS256 {
		return false
	}
	return len(r.Clients) == 0 && !c.Registered || slices.Contains(r.Clients, c.ClientID)
}

// CheckResource returns everything that is wrong with a resource server of the
// configuration; issuer is this one's URL.
func CheckResource(r store.Resource, issuer string) []error {
	var problems []error
	if err := checkResourceURI(r.URI, issuer); err != nil {
		problems = append(problems, fmt.Errorf("uri: %w", err))
	}
	if r.AccessTokenAlg != "" && !slices.Contains(keys.Algorithms, r.AccessTokenAlg) {
		problems = append(problems, fmt.Errorf("access_token_alg: %q is not supported: want one of %v", r.AccessTokenAlg, keys.Algorithms))
	}
	if slices.Contains(r.Clients, "") {
		problems = append(problems, errors.New("clients: holds an empty name"))
	}
	return problems
}

// checkResourceURI: RFC 8707 §2; the characters are those of a URI (RFC 3986 §2),
// for it stands in error messages and between spaces.
func checkResourceURI(uri, issuer string) error {
	u, err := url.Parse(uri)
	switch {
	case err != nil || !u.IsAbs():
		return errors.New("want an absolute URI, such as https://api.example.com")
	case strings.Contains(uri, "#"):
		return errors.New("must not have a fragment (#)")
	case u.Host != "" && !fetch.PlainHost(u):
		return errors.New(fetch.WantedHost)
	case strings.ContainsFunc(uri, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune("\"<>\\^`{|}", c) }):
		return errors.New("holds characters that a URI does not have")
	case uri == issuer:
		return errors.New("is this issuer, which every client may ask for")
	}
	return nil
}
