// Package pushed is what a request_uri of ours stands for: parameters that we keep.
//
// A client may push its authorization request from server to server (RFC 9126), so that
// nothing of it travels by the browser but a handle: then it is known whose it is, and
// checked, before anybody is sent anywhere. It gives one code, however it is used.
//
// We keep parameters ourselves for one more reason. A form that another site posts comes
// without our SameSite=Lax cookies, to the authorization and to the end session endpoint;
// what it says is kept, and the browser comes again by GET, with them. Handles are 256
// random bits, and the row has their hash and their owner.
package pushed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

// ErrGone: a handle of ours that stands for nothing, or no longer. It comes inside the
// page of Refused.
var ErrGone = errors.New("unknown, or kept no longer")

// Config is everything New needs.
type Config struct {
	Store  *store.Store
	Auth   *clientauth.Auth
	Tokens *tokens.Tokens
	Now    func() time.Time
}

// Requests are those that we keep. Safe for concurrent use.
type Requests struct{ Config }

// New checks the configuration.
func New(c Config) (*Requests, error) {
	if c.Store == nil || c.Auth == nil || c.Tokens == nil || c.Now == nil {
		return nil, errors.New("pushed: every field is required")
	}
	return &Requests{c}, nil
}

// RequestURI begins the handle of parameters that we keep (RFC 9126 §2.2).
const RequestURI = "urn:ietf:params:oauth:request_uri:"

const (
	// Briefly is how long they are kept: the time of one redirect, and of a reload.
	Briefly = 2 * time.Minute
	// maxKept bounds what is read back, in bytes: we escape more than clients do.
	maxKept = 3*wire.MaxQuery + 1000
)

// Keep keeps parameters for owner: the client, or what no client_id can be, for it has
// a space in it. pushed is the hash of the request that a client pushed, of which these
// are the parameters; nil: of none.
func (p *Requests) Keep(ctx context.Context, owner string, ps wire.Params, pushed []byte, d time.Duration) (uri string, err error) {
	handle := secret.Token()
	err = p.Store.PutPushedRequest(ctx, store.PushedRequest{
		Hash: secret.Hash(handle), ClientID: owner, Address: policy.Network(web.InfoFrom(ctx).Client),
		Params: ps.Encode(), PushedHash: pushed, ExpiresAt: p.Now().Add(d).UnixMilli(),
	})
	if errors.Is(err, store.ErrTooMany) {
		return "", web.TooManyRequests(err)
	}
	return RequestURI + handle.Reveal(), err
}

// Expand replaces a request_uri of ours by the parameters behind it; nothing
// beside it counts (RFC 9126 §4). Any other request_uri stays, to be refused: we
// fetch nothing that a request names. pushed is the hash of the request that the
// client pushed, empty when it pushed none.
func (p *Requests) Expand(ctx context.Context, ps wire.Params, owner string) (expanded wire.Params, pushed []byte, err error) {
	handle, ours := strings.CutPrefix(ps["request_uri"], RequestURI)
	if !ours {
		return ps, nil, nil
	}
	row, err := p.Store.PushedRequest(ctx, secret.Hash(secret.String(handle)))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil, Refused(fmt.Errorf("%s: %w", named(owner), ErrGone))
	case err != nil:
		return nil, nil, err
	case owner == "" || row.ClientID != owner:
		return nil, nil, Refused(fmt.Errorf("%s: it is that of %s", named(owner), named(row.ClientID)))
	}
	ps, err = Read(row.Params)
	return ps, row.PushedHash, err
}

// named is the owner of a request, for the log.
func named(owner string) string {
	switch {
	case owner == "":
		return "no client_id"
	case strings.Contains(owner, " "):
		return "a sign-out"
	}
	return "client_id " + web.Quote(owner)
}

// Refused is the page for a request_uri of ours that stands for nothing which the
// browser could go on with: to the visitor all the same, the log has the cause.
func Refused(cause error) error {
	return &web.Error{
		Status: http.StatusBadRequest, Code: "PUSHED_REQUEST", Title: "This link has expired",
		Message: "What the site asked us for was kept for a short time only, was answered already, or was not for this link.",
		Hint:    "Go back to the site and start again there. Do not reload this page or use it as a bookmark.", Err: cause,
	}
}

// Read reads parameters that we kept ourselves.
func Read(raw string) (wire.Params, error) { return wire.Parse(raw, maxKept) }
