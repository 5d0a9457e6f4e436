package oidc

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/proof"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

// credentials are what a client sent to prove who it is.
type credentials struct {
	method    protocol.AuthMethod
	id        string
	secret    secret.String
	assertion *proof.Claimed
}

// onetime is an assertion that counts once, and the answer to the second time.
type onetime struct {
	proof.Once
	used error
}

// fromClient reads what a client posts, and finds out which client: what every
// endpoint for programs begins with.
func (p *Provider) fromClient(r *http.Request) (*store.Client, wire.Params, error) {
	client, ps, singles, err := p.identify(r)
	if err != nil {
		return nil, nil, err
	}
	return client, ps, p.useUp(r.Context(), singles)
}

// fromClientWithKey is fromClient where a DPoP proof may come along: jkt is the
// thumbprint of its key, empty without one. Assertions and proof are used up
// together and last, so that a client which only lacks a nonce can send the same
// assertion again.
func (p *Provider) fromClientWithKey(w http.ResponseWriter, r *http.Request) (client *store.Client, ps wire.Params, jkt string, err error) {
	client, ps, singles, err := p.identify(r)
	if err != nil {
		return nil, nil, "", err
	}
	shown, err := p.tokenProof(w, r, client)
	if err != nil {
		return nil, nil, "", err
	}
	if err := p.useUp(r.Context(), singles); err != nil {
		return nil, nil, "", err
	}
	jkt, err = p.useProof(r.Context(), shown)
	return client, ps, jkt, err
}

// identify finds out which client asks, by the one method it is registered for
// (RFC 6749 §2.3) or by the assertion that is its grant. A public client is known
// by its client_id only. The assertions count when they are used up.
func (p *Provider) identify(r *http.Request) (client *store.Client, ps wire.Params, singles []onetime, err error) {
	if ps, err = wire.PostedParams(r); err != nil {
		return nil, nil, nil, err
	}
	grant, err := readGrant(r, ps)
	if err != nil {
		return nil, nil, nil, err
	}
	cred, err := readCredentials(r, ps, grant)
	if err != nil {
		return nil, nil, nil, err
	}
	client, err = p.Clients.ByID(r.Context(), cred.id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, nil, unknownClient(cred.method)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	web.InfoFrom(r.Context()).ClientID = client.ClientID
	if singles, err = p.authenticate(r, client, cred); err != nil || grant == nil {
		return client, ps, singles, err
	}
	once, err := p.checkGrant(r, client, grant)
	return client, ps, append(singles, once...), err
}

// authenticate checks what proves a client. Where the grant does, it is checked
// after this, and nothing is asked of the client before.
func (p *Provider) authenticate(r *http.Request, client *store.Client, cred credentials) ([]onetime, error) {
	if want := clients.AuthMethod(client); cred.method != want && cred.method != authMethodGrant {
		return nil, wire.InvalidClient("used " + string(cred.method) + ", registered for " + string(want))
	}
	switch cred.method {
	case protocol.AuthMethodNone, authMethodGrant:
		return nil, nil
	case protocol.AuthMethodPrivateKeyJWT:
		return p.checkAssertion(r, client, cred.assertion)
	}
	if !secretMatches(client, cred.secret) {
		return nil, wire.InvalidClient("client secret is wrong")
	}
	return nil, nil
}

// readCredentials: more than one method in a request is an error (RFC 6749 §2.3).
func readCredentials(r *http.Request, ps wire.Params, grant *proof.Claimed) (credentials, error) {
	cred, basic, err := basicCredentials(r)
	if err != nil {
		return credentials{}, err
	}
	id, posted := ps["client_id"], ps["client_secret"]
	asserted := ps["client_assertion"] != "" || ps["client_assertion_type"] != ""
	switch {
	case asserted && (basic || posted != ""), basic && posted != "":
		return credentials{}, protocol.ErrInvalidRequest().WithDescription("more than one method of client authentication")
	case asserted:
		return assertionCredentials(ps)
	case basic && id != "" && id != cred.id:
		return credentials{}, protocol.ErrInvalidRequest().WithDescription("client_id is not the one that authenticated")
	case basic:
		return cred, nil
	case grant != nil && posted == "":
		return grantCredentials(ps, grant), nil
	case id == "":
		return credentials{}, wire.InvalidClient("no client authentication")
	case posted != "":
		return credentials{method: protocol.AuthMethodPost, id: id, secret: secret.String(posted)}, nil
	}
	return credentials{method: protocol.AuthMethodNone, id: id}, nil
}

// basicCredentials reads client_secret_basic: both halves are form-encoded
// before they are joined (RFC 6749 §2.3.1). Another scheme is not for us.
func basicCredentials(r *http.Request) (cred credentials, found bool, err error) {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Basic") {
		return cred, false, nil
	}
	if len(r.Header["Authorization"]) > 1 {
		return cred, false, protocol.ErrInvalidRequest().WithDescription("more than one Authorization header")
	}
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return cred, false, wire.InvalidClient("Basic is not base64")
	}
	user, password, ok := strings.Cut(string(raw), ":")
	id, err1 := url.QueryUnescape(user)
	pass, err2 := url.QueryUnescape(password)
	if !ok || err1 != nil || err2 != nil || id == "" {
		return cred, false, wire.InvalidClient("Basic does not hold a form-encoded id and secret")
	}
	return credentials{method: protocol.AuthMethodBasic, id: id, secret: secret.String(pass)}, true, nil
}

// secretMatches compares hashes, so time tells nothing about a secret.
func secretMatches(c *store.Client, s secret.String) bool {
	sum := secret.Hash(s)
	return s != "" && slices.ContainsFunc(c.SecretHashes, func(h []byte) bool { return secret.Equal(h, sum) })
}
