package oidc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/tokens"
	"idp/internal/store"
)

// What a relying party was granted is looked at again whenever something is given
// for it: for a code, a device code or a refresh token, at userinfo and at
// introspection. It gets what it is registered for now, whatever it was registered
// for when the user logged in there; and where it is not trusted now, what its user
// allows it now. The file may have been changed and read again between two requests,
// the database by another node a moment ago: a client of the database is read in the
// transaction, for the registry may be a second behind.

// ended says, to the developer of the relying party and in the log, why what was
// granted is not given any more.
type ended string

func (e ended) Error() string { return string(e) }

// registeredNow returns the client as it is registered at this moment; err is ended
// when it is not.
func registeredNow(c *store.Client, s *store.Standing) (*store.Client, error) {
	switch {
	case c.FromFile:
		return c, nil
	case s.Client == nil:
		return nil, ended("the client is not registered any more")
	}
	return s.Client, nil
}

// stillGranted returns ended where nothing of a grant may be given any more.
func stillGranted(c *store.Client, g *store.Grant, s *store.Standing) error {
	switch {
	case !clients.MayLogIn(c, &s.User):
		return ended("the user may not use this client any more")
	case g.Offline && !clients.HasScope(clients.Scope(c), protocol.ScopeOfflineAccess):
		return ended("the client is not registered for offline_access any more: the user has to log in again")
	case clients.Trusted(c):
		return nil
	}
	needed, err := consentNow(c, g)
	if err != nil {
		return err
	}
	if _, ok := clients.Narrower(s.Consent, needed); !ok {
		return ended("the user has not allowed all that was granted, and the client is not trusted any more: the user has to log in again")
	}
	return nil
}

// consentNow is what the user must allow a client for what is left of a grant.
func consentNow(c *store.Client, g *store.Grant) (string, error) {
	asked, err := tokens.ReadAskedClaims(g.Claims)
	scope := clients.AllowedScope(c, g.Scope)
	return clients.ConsentItems(scope, claimsAlone(c, asked, scope), strings.Fields(g.Resource)), err
}

// scopeNow is what is left of a scope that was granted.
func scopeNow(c *store.Client, granted string) (string, error) {
	registered, scope := clients.Scope(c), granted
	for name := range strings.FieldsSeq(granted) {
		if !clients.HasScope(registered, name) {
			scope = clients.AllowedScope(c, granted)
			break
		}
	}
	if scope == "" {
		return "", ended("the client is not registered any more for what was granted")
	}
	return scope, nil
}

// stillBound: whoever gets bound tokens only has none that are not (RFC 9449 §5.2),
// jkt being the thumbprint of the token's or the proof's key.
func stillBound(c *store.Client, jkt string) error {
	if clients.RequiresDPoP(c) && jkt == "" {
		return ended("the client has to use tokens that are bound to a DPoP key by now")
	}
	return nil
}

// state is what an access token stands for now.
type state struct {
	client *store.Client
	giver  *store.Client // whom the user logged in to; client, unless the token was exchanged
	grant  *store.Grant  // nil, as is user, for a token of the client's own
	user   *store.User
	scope  string

	exchanged bool // it was got by an exchange
}

// stillShown: what a ticket gave rests on no session, but on the client's registration
// for tickets.
func stillShown(c *store.Client, g *store.Grant) error {
	if g.SessionID == "" && g.Resource != "" && !clients.MayShowTicket(c, g.Resource) {
		return ended("the client may not exchange tickets for this audience any more")
	}
	return nil
}

// tokenState asks the store whether a token is still good. What another node
// revoked may count for a second more (the store keeps the answer for so long).
// store.ErrNotFound: it is not good.
func (p *Provider) tokenState(ctx context.Context, c *tokens.AccessClaims) (*state, error) {
	if c.Grant == "" {
		return p.ownState(ctx, c)
	}
	st, err := p.grantState(ctx, c.Grant, c.ID)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Act != nil:
		err = p.stillExchanged(ctx, st, c)
	case c.ClientID != st.client.ClientID: // no token of ours is so
		return nil, store.ErrNotFound
	default:
		st.scope, err = scopeNow(st.client, c.Scope)
	}
	if err == nil {
		err = stillBound(st.client, c.Confirmation.JKT)
	}
	return st, goneIfEnded(err)
}

// grantState is tokenState without what a token says of itself: of the grant behind it,
// and the client that the grant was given to. jti may be empty.
func (p *Provider) grantState(ctx context.Context, grantID, jti string) (*state, error) {
	grant, now, err := p.Store.TokenState(ctx, grantID, jti, p.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	client, err := p.Clients.ByID(ctx, grant.ClientID)
	if err != nil {
		return nil, err
	}
	st := &state{grant: grant}
	if st.user, err = p.askDirectory(ctx, &now.User); err != nil {
		return nil, err
	}
	now.User = *st.user
	if st.client, err = registeredNow(client, now); err == nil {
		err = errors.Join(stillShown(st.client, grant), stillGranted(st.client, grant, now))
	}
	st.giver = st.client
	return st, goneIfEnded(err)
}

// stillExchanged puts the client that got a token by an exchange into its state, and
// what of the scope its policy allows now; or says why the exchange counts no more.
func (p *Provider) stillExchanged(ctx context.Context, st *state, c *tokens.AccessClaims) (err error) {
	if err := p.chainHolds(ctx, c); err != nil {
		return err
	}
	st.exchanged = true
	if st.client, err = p.Clients.ByID(ctx, c.ClientID); err != nil {
		return err
	}
	policy, ok := clients.ExchangeFor(st.client, c.Audience)
	switch {
	case !ok || !p.tokens.IsResource(st.client, c.Audience):
		return ended("the client may not exchange tokens for this audience any more")
	case !clients.MayLogIn(st.client, st.user):
		return ended("the user may not use this client any more")
	}
	st.scope = clients.FilterScope(c.Scope, func(name string) bool { return slices.Contains(policy.Scopes, name) })
	if st.scope == "" && c.Scope != "" {
		return ended("the client may not exchange tokens for this scope any more")
	}
	return nil
}

// chainHolds: whoever was on the way is still registered, and neither the token that they
// showed was revoked, nor all that they had got.
func (p *Provider) chainHolds(ctx context.Context, c *tokens.AccessClaims) error {
	shown := c.Parents()
	for i, id := range c.Act.Chain() {
		jti := "" // of an assertion, which has none
		if i < len(shown) {
			jti = shown[i]
		}
		if _, err := p.Clients.ByID(ctx, id); err != nil {
			return err
		}
		revoked, err := p.Store.TokenRevoked(ctx, id, jti, c.IssuedAt*1000)
		if err != nil {
			return err
		}
		if revoked {
			return ended("what the token was got for is revoked")
		}
	}
	return nil
}

// ownState is the state of a token that a client has for itself.
func (p *Provider) ownState(ctx context.Context, c *tokens.AccessClaims) (*state, error) {
	client, err := p.Clients.ByID(ctx, c.ClientID)
	if err != nil {
		return nil, err
	}
	revoked, err := p.Store.TokenRevoked(ctx, c.ClientID, c.ID, c.IssuedAt*1000)
	if err == nil && revoked {
		err = store.ErrNotFound
	}
	if err == nil && !clients.MayUse(client, protocol.GrantTypeClientCredentials) && !clients.MayUse(client, protocol.GrantTypeBearer) {
		err = goneIfEnded(ended("the client may not act for itself any more"))
	}
	if err == nil {
		err = goneIfEnded(stillBound(client, c.Confirmation.JKT))
	}
	return &state{client: client, scope: clients.AllowedScope(client, c.Scope)}, err
}

// goneIfEnded makes of ended what the store says of a token that is not good.
func goneIfEnded(err error) error {
	var why ended
	if errors.As(err, &why) {
		return fmt.Errorf("%w: %w", store.ErrNotFound, why)
	}
	return err
}
