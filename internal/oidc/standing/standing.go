// Package standing tells what a grant stands for now.
//
// What a relying party was granted is looked at again whenever something is given
// for it: for a code, a device code or a refresh token, at userinfo and at
// introspection. It gets what it is registered for now, whatever it was registered
// for when the user logged in there; and where it is not trusted now, what its user
// allows it now. The file may have been changed and read again between two requests,
// the database by another node a moment ago: a client of the database is read in the
// transaction, for the registry may be a second behind.
package standing

import (
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/tokens"
	"idp/internal/store"
)

// Ended says, to the developer of the relying party and in the log, why what was
// granted is not given any more.
type Ended string

// Error implements error.
func (e Ended) Error() string { return string(e) }

// RegisteredNow returns the client as it is registered at this moment; err is Ended
// when it is not.
func RegisteredNow(c *store.Client, s *store.Standing) (*store.Client, error) {
	switch {
	case c.FromFile:
		return c, nil
	case s.Client == nil:
		return nil, Ended("the client is not registered any more")
	}
	return s.Client, nil
}

// StillGranted returns Ended where nothing of a grant may be given any more.
func StillGranted(c *store.Client, g *store.Grant, s *store.Standing) error {
	switch {
	case !clients.MayLogIn(c, &s.User):
		return Ended("the user may not use this client any more")
	case g.Offline && !clients.HasScope(clients.Scope(c), protocol.ScopeOfflineAccess):
		return Ended("the client is not registered for offline_access any more: the user has to log in again")
	case clients.Trusted(c):
		return nil
	}
	needed, err := consentNow(c, g)
	if err != nil {
		return err
	}
	if _, ok := clients.Narrower(s.Consent, needed); !ok {
		return Ended("the user has not allowed all that was granted, and the client is not trusted, or not trusted any more: the user has to log in there and allow it")
	}
	return nil
}

// consentNow is what the user must allow a client for what is left of a grant.
func consentNow(c *store.Client, g *store.Grant) (string, error) {
	asked, err := tokens.ReadAskedClaims(g.Claims)
	scope := clients.AllowedScope(c, g.Scope)
	return clients.ConsentItems(scope, tokens.ClaimsAlone(c, asked, scope), strings.Fields(g.Resource)), err
}

// ScopeNow is what is left of a scope that was granted.
func ScopeNow(c *store.Client, granted string) (string, error) {
	registered, scope := clients.Scope(c), granted
	for name := range strings.FieldsSeq(granted) {
		if !clients.HasScope(registered, name) {
			scope = clients.AllowedScope(c, granted)
			break
		}
	}
	if scope == "" {
		return "", Ended("the client is not registered any more for what was granted")
	}
	return scope, nil
}

// StillBound refuses unbound tokens: whoever gets bound tokens only has none that are not (RFC 9449 §5.2),
// jkt being the thumbprint of the token's or the proof's key.
func StillBound(c *store.Client, jkt string) error {
	if clients.RequiresDPoP(c) && jkt == "" {
		return Ended("the client has to use tokens that are bound to a DPoP key by now")
	}
	return nil
}

// StillShown looks at tickets: what one gave rests on no session, but on the client's registration
// for tickets.
func StillShown(c *store.Client, g *store.Grant) error {
	if g.SessionID == "" && g.Resource != "" && !clients.MayShowTicket(c, g.Resource) {
		return Ended("the client may not exchange tickets for this audience any more")
	}
	return nil
}
