package pushed

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/authreq"
	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

// PathPAR is the path of the endpoint.
const PathPAR = "/par"

// pushedFor is how long a browser may take to bring a pushed request (RFC 9126
// §2.2); FAPI 2.0 Security Profile §5.3.2.2 wants less than 600 s. How long the
// login then takes is another matter.
const pushedFor = 90 * time.Second

// maxStrangersPush bounds what a client that registered itself has kept, in bytes.
const maxStrangersPush = 8 << 10

// ServePAR answers the pushed authorization request endpoint (RFC 9126): a client
// proves who it is, hands over its request, and sends the browser with a handle.
// Whatever /authorize would refuse is refused here, to the client itself.
func (p *Requests) ServePAR(w http.ResponseWriter, r *http.Request) error {
	var a *authreq.Request
	handle := secret.Token()
	check := func(client *store.Client, ps wire.Params, jkt string) (err error) {
		a, err = p.readPushed(client, ps, jkt, secret.Hash(handle))
		return err
	}
	wire.NextNonce(w, p.Auth.NextNonce(r))
	if _, _, _, err := p.Auth.FromClientWithKey(r, clientauth.Endpoint{Path: PathPAR}, check); err != nil {
		return err
	}
	if err := p.push(r.Context(), a); err != nil {
		return err
	}
	o := wire.NewObject(160)
	o.Text("request_uri", RequestURI+handle.Reveal())
	o.Number("expires_in", int64(pushedFor/time.Second))
	wire.WriteJSON(w, http.StatusCreated, o.Close())
	return nil
}

// readPushed checks a request that is to be kept under hash (RFC 9126 §2.1). A
// DPoP proof that came with it binds the code as dpop_jkt does (RFC 9449 §10.1);
// jkt is the thumbprint of its key, empty without one.
func (p *Requests) readPushed(client *store.Client, ps wire.Params, jkt string, hash []byte) (*authreq.Request, error) {
	switch asked := ps["dpop_jkt"]; {
	case ps["request_uri"] != "":
		return nil, protocol.ErrInvalidRequest().WithDescription("request_uri cannot be pushed")
	case jkt != "" && asked != "" && asked != jkt:
		return nil, &protocol.Error{ErrorType: wire.InvalidDPoPProof, Description: "the proof is by another key than dpop_jkt names"}
	case jkt != "":
		ps["dpop_jkt"] = jkt
	}
	ps["client_id"] = client.ClientID // it may stand in the client's authentication alone
	maps.DeleteFunc(ps, func(name, _ string) bool { return !wire.AuthorizationParams[name] })
	limit := int64(wire.MaxQuery)
	if clients.RegisteredItself(client) {
		limit = maxStrangersPush
	}
	switch uri := ps["redirect_uri"]; {
	case int64(len(ps.Encode())) > limit:
		return nil, wire.TooLarge(limit)
	case uri == "":
		return nil, protocol.ErrInvalidRequest().WithDescription("redirect_uri is missing")
	case !clients.RedirectAllowed(client, uri):
		return nil, protocol.ErrInvalidRequest().WithDescription("redirect_uri is not registered for this client").WithParent(errors.New(web.Quote(uri)))
	}
	a := authreq.New(ps, client)
	a.Pushed = hash
	return a, a.Check(p.Tokens)
}

// push keeps the request. An address has a limit where anybody may ask, and what
// registered itself has one of its own as well. Other confidential clients have none:
// a site's logins all come from its one server.
func (p *Requests) push(ctx context.Context, a *authreq.Request) error {
	row := store.PushedRequest{Hash: a.Pushed, ClientID: a.Client.ClientID, Params: a.Params.Encode(), PushedHash: a.Pushed,
		CountClient: clients.RegisteredItself(a.Client) && !a.Client.Public(), // anybody can push for a public one
		ExpiresAt:   p.Now().Add(pushedFor).UnixMilli()}
	if a.Client.Public() || clients.RegisteredItself(a.Client) {
		row.Address = policy.Network(web.InfoFrom(ctx).Client)
	}
	err := p.Store.PutPushedRequest(ctx, row)
	if errors.Is(err, store.ErrTooMany) { // RFC 9126 §2.3
		return wire.Failure{Status: http.StatusTooManyRequests, Err: protocol.ErrInvalidRequest().WithDescription("too many requests were pushed from this address or by this client").WithParent(err)}
	}
	return err
}

// Unused says that a pushed request gave no code yet: it gives one. Until then the
// browser may come as often as it reloads; the statement that stores the code decides.
func (p *Requests) Unused(ctx context.Context, pushed []byte) error {
	used, err := p.Store.PushedRequestUsed(ctx, pushed)
	if err == nil && used {
		err = Refused(errors.New("it has given its code"))
	}
	return err
}
