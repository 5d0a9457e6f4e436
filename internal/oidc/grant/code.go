package grant

import (
	"errors"
	"net/http"
	"strings"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/standing"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
)

// offlineAbsolute ends what offline_access began, however often it is used.
const offlineAbsolute = 30 * 24 * time.Hour

// codeGrant redeems an authorization code (RFC 6749 §4.1.3, OIDC Core §3.1.3).
// Client, redirect URI and verifier are conditions of the one statement that
// uses the code up, so there is no moment between check and use.
func (p *Endpoint) codeGrant(r *http.Request, client *store.Client, ps wire.Params, jkt string) ([]byte, error) {
	if ps["code"] == "" || ps["redirect_uri"] == "" {
		return nil, protocol.ErrInvalidRequest().WithDescription("code and redirect_uri are required")
	}
	challenge, err := challengeOf(ps["code_verifier"])
	if err != nil {
		return nil, err
	}
	t := tokens.Response{Client: client, JKT: jkt}
	code, grant, err := p.Store.RedeemCode(r.Context(), store.Redeem{
		Hash: secret.Hash(secret.String(ps["code"])), ClientID: client.ClientID, RedirectURI: ps["redirect_uri"], CodeChallenge: challenge, JKT: jkt,
		Now: p.Now().UnixMilli(), Entry: clientauth.Entry(r, client),
		Grant: func(c store.Code, now store.Standing) (store.Grant, *store.RefreshFamily, error) {
			return p.firstGrant(&t, protocol.GrantTypeCode, c, &now, ps.Resources())
		},
	})
	if err != nil {
		return nil, invalidGrant(err, "the code is unknown, used or expired, or was given to another client, redirect_uri, code_verifier or DPoP key")
	}
	t.Grant, t.Scope, t.Nonce = grant, grant.Scope, code.Nonce
	if clients.MayUse(t.Client, protocol.GrantTypeRefreshToken) {
		if t.Refresh, err = p.Tokens.EncodeRefresh(grant.ID, 0); err != nil {
			return nil, err
		}
	}
	return p.Tokens.Respond(t)
}

// challengeOf is the S256 challenge that a verifier answers (RFC 7636 §4.6);
// empty without one. The statement compares it with the code's, so a verifier
// without a challenge fails as a challenge without a verifier does.
func challengeOf(verifier string) (string, error) {
	if verifier == "" {
		return "", nil
	}
	if len(verifier) < 43 || len(verifier) > 128 || strings.ContainsFunc(verifier, notUnreserved) {
		return "", protocol.ErrInvalidGrant().WithDescription("code_verifier must be 43 to 128 unreserved characters")
	}
	return secret.S256(verifier), nil
}

// notUnreserved: RFC 7636 §4.1 allows ALPHA / DIGIT / "-" / "." / "_" / "~".
func notUnreserved(c rune) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return false
	}
	return !strings.ContainsRune("-._~", c)
}

// firstGrant is what a code gives, or a device code as one, and puts into the
// response what rests on how things stand now. It may refuse: the code then stays
// unused. asked are the resources of the request.
func (p *Endpoint) firstGrant(t *tokens.Response, by protocol.GrantType, c store.Code, now *store.Standing, asked []string) (g store.Grant, f *store.RefreshFamily, err error) {
	if t.Client, err = standing.RegisteredNow(t.Client, now); err != nil {
		return g, nil, err
	}
	if c.Scope, err = standing.ScopeNow(t.Client, c.Scope); err != nil {
		return g, nil, err
	}
	if t.Audience, err = p.Tokens.Audience(t.Client, c.Resource, asked); err != nil {
		return g, nil, err
	}
	t.User = &now.User
	g, f = p.newGrant(t.Client, c, t.JKT, p.Now())
	return g, f, errors.Join(stillRedeemable(t.Client, by, c.RedirectURI), standing.StillBound(t.Client, t.JKT), standing.StillGranted(t.Client, &g, now))
}

// stillRedeemable: where a code was sent, and that there are any, may have been taken
// from the client since. A device's is sent nowhere.
func stillRedeemable(c *store.Client, by protocol.GrantType, redirect string) error {
	switch {
	case !clients.MayUse(c, by):
		return standing.Ended("the client is not registered for this grant_type any more")
	case redirect != "" && !clients.RedirectAllowed(c, redirect):
		return standing.Ended("the redirect_uri is not registered for this client any more")
	}
	return nil
}

// newGrant is what a code gives. A refresh family has its grant's id, for there
// is one per grant. Without offline_access the session ends both, whatever the
// dates here say. The refresh tokens of a public client are bound to its DPoP key
// (RFC 9449 §5); those of others are bound to the client already.
func (p *Endpoint) newGrant(client *store.Client, c store.Code, jkt string, now time.Time) (store.Grant, *store.RefreshFamily) {
	refreshes := clients.MayUse(client, protocol.GrantTypeRefreshToken)
	g := store.Grant{
		ID: c.GrantID, Offline: refreshes && clients.HasScope(c.Scope, protocol.ScopeOfflineAccess),
		Scope: c.Scope, Resource: c.Resource, Claims: c.Claims, AMR: c.AMR, ACR: c.ACR, AuthTime: c.AuthTime, CreatedAt: now.UnixMilli(),
	}
	if client.Public() {
		g.JKT = jkt
	}
	if !refreshes {
		g.ExpiresAt = now.Add(p.AccessToken + time.Minute).UnixMilli()
		return g, nil
	}
	g.ExpiresAt = now.Add(p.SessionAbsolute).UnixMilli()
	if g.Offline {
		g.ExpiresAt = now.Add(offlineAbsolute).UnixMilli()
	}
	return g, &store.RefreshFamily{
		ID: g.ID, GrantID: g.ID, RotatedAt: now.UnixMilli(), ExpiresAt: g.ExpiresAt,
		IdleExpiresAt: min(now.Add(p.RefreshIdle).UnixMilli(), g.ExpiresAt),
	}
}

// invalidGrant turns what the store says about a code or refresh token into the
// protocol's answer, the same whichever condition failed (RFC 6749 §5.2). Why what
// was granted has ended, the client's developer is told, and the log.
func invalidGrant(err error, description string) error {
	var why standing.Ended
	if errors.As(err, &why) {
		return protocol.ErrInvalidGrant().WithDescription("%s", why)
	}
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrReused) {
		return protocol.ErrInvalidGrant().WithDescription("%s", description).WithParent(err)
	}
	return err
}
