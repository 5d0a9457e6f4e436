package standing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/tokens"
	"idp/internal/store"
)

// Config is everything New needs.
type Config struct {
	Store   *store.Store
	Clients *clients.Registry
	Tokens  *tokens.Tokens
	Now     func() time.Time

	// Directory asks whether a user is still enabled, and how they are known now;
	// vouches: it knows them. user.ErrDisabled: they are not, and what they had has
	// ended. Nil: there is no directory.
	Directory func(context.Context, *store.User) (now *store.User, vouches bool, err error)
}

// Judge tells what tokens stand for now. Safe for concurrent use.
type Judge struct{ Config }

// New checks the configuration and makes a Judge.
func New(c Config) (*Judge, error) {
	if c.Store == nil || c.Clients == nil || c.Tokens == nil || c.Now == nil {
		return nil, errors.New("standing: Store, Clients, Tokens and Now are required")
	}
	return &Judge{c}, nil
}

// State is what an access token stands for now.
type State struct {
	Client *store.Client
	Giver  *store.Client // whom the user logged in to; client, unless the token was exchanged
	Grant  *store.Grant  // nil, as is user, for a token of the client's own
	User   *store.User
	Scope  string

	Exchanged bool // it was got by an exchange
}

// OfToken asks the store whether a token is still good. What another node
// revoked may count for a second more (the store keeps the answer for so long).
// store.ErrNotFound: it is not good.
func (j *Judge) OfToken(ctx context.Context, c *tokens.AccessClaims) (*State, error) {
	if c.Grant == "" {
		return j.ownState(ctx, c)
	}
	st, err := j.OfGrant(ctx, c.Grant, c.ID)
	if err != nil {
		return nil, err
	}
	switch {
	case c.Act != nil:
		err = j.stillExchanged(ctx, st, c)
	case c.ClientID != st.Client.ClientID: // no token of ours is so
		return nil, store.ErrNotFound
	default:
		st.Scope, err = ScopeNow(st.Client, c.Scope)
	}
	if err == nil {
		err = StillBound(st.Client, c.Confirmation.JKT)
	}
	return st, goneIfEnded(err)
}

// OfGrant is OfToken without what a token says of itself: of the grant behind it,
// and the client that the grant was given to. jti may be empty.
func (j *Judge) OfGrant(ctx context.Context, grantID, jti string) (*State, error) {
	grant, now, err := j.Store.TokenState(ctx, grantID, jti, j.Now().UnixMilli())
	if err != nil {
		return nil, err
	}
	client, err := j.Clients.ByID(ctx, grant.ClientID)
	if err != nil {
		return nil, err
	}
	st := &State{Grant: grant}
	if st.User, err = j.AskDirectory(ctx, &now.User); err != nil {
		return nil, err
	}
	now.User = *st.User
	if st.Client, err = RegisteredNow(client, now); err == nil {
		err = errors.Join(StillShown(st.Client, grant), StillGranted(st.Client, grant, now))
	}
	st.Giver = st.Client
	return st, goneIfEnded(err)
}

// stillExchanged puts the client that got a token by an exchange into its state, and
// what of the scope its policy allows now; or says why the exchange counts no more.
func (j *Judge) stillExchanged(ctx context.Context, st *State, c *tokens.AccessClaims) (err error) {
	if err := j.chainHolds(ctx, c); err != nil {
		return err
	}
	st.Exchanged = true
	if st.Client, err = j.Clients.ByID(ctx, c.ClientID); err != nil {
		return err
	}
	policy, ok := clients.ExchangeFor(st.Client, c.Audience)
	switch {
	case !ok || !j.Tokens.IsResource(st.Client, c.Audience):
		return Ended("the client may not exchange tokens for this audience any more")
	case !clients.MayLogIn(st.Client, st.User):
		return Ended("the user may not use this client any more")
	}
	st.Scope = clients.FilterScope(c.Scope, func(name string) bool { return slices.Contains(policy.Scopes, name) })
	if st.Scope == "" && c.Scope != "" {
		return Ended("the client may not exchange tokens for this scope any more")
	}
	return nil
}

// chainHolds: whoever was on the way is still registered, and neither the token that they
// showed was revoked, nor all that they had got.
func (j *Judge) chainHolds(ctx context.Context, c *tokens.AccessClaims) error {
	shown := c.Parents()
	for i, id := range c.Act.Chain() {
		jti := "" // of an assertion, which has none
		if i < len(shown) {
			jti = shown[i]
		}
		if _, err := j.Clients.ByID(ctx, id); err != nil {
			return err
		}
		revoked, err := j.Store.TokenRevoked(ctx, id, jti, c.IssuedAt*1000)
		if err != nil {
			return err
		}
		if revoked {
			return Ended("what the token was got for is revoked")
		}
	}
	return nil
}

// ownState is the state of a token that a client has for itself.
func (j *Judge) ownState(ctx context.Context, c *tokens.AccessClaims) (*State, error) {
	client, err := j.Clients.ByID(ctx, c.ClientID)
	if err != nil {
		return nil, err
	}
	revoked, err := j.Store.TokenRevoked(ctx, c.ClientID, c.ID, c.IssuedAt*1000)
	if err == nil && revoked {
		err = store.ErrNotFound
	}
	if err == nil && !clients.MayUse(client, protocol.GrantTypeClientCredentials) && !clients.MayUse(client, protocol.GrantTypeBearer) {
		err = goneIfEnded(Ended("the client may not act for itself any more"))
	}
	if err == nil {
		err = goneIfEnded(StillBound(client, c.Confirmation.JKT))
	}
	return &State{Client: client, Scope: clients.AllowedScope(client, c.Scope)}, err
}

// goneIfEnded makes of Ended what the store says of a token that is not good.
func goneIfEnded(err error) error {
	var why Ended
	if errors.As(err, &why) {
		return fmt.Errorf("%w: %w", store.ErrNotFound, why)
	}
	return err
}
