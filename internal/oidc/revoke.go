package oidc

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
)

// ServeRevoke answers the revocation endpoint (RFC 7009): an access token alone,
// or a refresh token and with it all that its grant gave (§2.1).
func (p *Provider) ServeRevoke(w http.ResponseWriter, r *http.Request) error {
	if wire.AnyOrigin(w, r, "POST") {
		return nil
	}
	client, ps, err := p.auth.FromClient(r, clientauth.Endpoint{Path: pathRevoke})
	if err != nil {
		return err
	}
	token, err := ps.Need("token")
	if err != nil {
		return err
	}
	if strings.Contains(token, ".") {
		err = p.revokeAccess(r.Context(), client, token)
	} else {
		err = p.revokeRefresh(r.Context(), client, secret.String(token), clientauth.Entry(r, client))
	}
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusOK)
	return nil
}

// revokeAccess: a token that is none, or over, is revoked already (RFC 7009 §2.2).
func (p *Provider) revokeAccess(ctx context.Context, client *store.Client, token string) error {
	c, err := p.tokens.ReadAccess(token)
	if err != nil {
		return nil //nolint:nilerr // not a token: nothing to revoke
	}
	if c.ClientID != client.ClientID {
		return notYours()
	}
	return p.Store.RevokeToken(ctx, c.ID, time.Unix(c.Expires, 0).Add(time.Minute).UnixMilli())
}

func (p *Provider) revokeRefresh(ctx context.Context, client *store.Client, token secret.String, e store.Entry) error {
	id, _, err := p.tokens.DecodeRefresh(token)
	if err != nil {
		return nil //nolint:nilerr // not a token: nothing to revoke
	}
	family, err := p.Store.RefreshFamily(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if family.ClientID != client.ClientID {
		return notYours()
	}
	return p.Store.RevokeGrant(ctx, family.GrantID, e)
}

// notYours: "the token was issued to another client" is refused (RFC 7009 §2.1).
func notYours() error {
	return protocol.ErrInvalidGrant().WithDescription("the token was issued to another client")
}
