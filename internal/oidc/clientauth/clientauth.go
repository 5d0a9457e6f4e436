// Package clientauth finds out which relying party asks, at every endpoint for programs.
//
// A request shows it by one method, the one that the client is registered for (RFC 6749
// §2.3, OIDC Core §9): a secret, in the header or in the body; an assertion that it
// signed (private_key_jwt, RFC 7523 §2.2); nothing, for a public client, whose code and
// refresh token are bound to it otherwise. A JWT that is itself the grant (RFC 7523
// §2.1) proves the client as well. Beside it may come a DPoP proof (RFC 9449): that
// whoever asks holds a key, to which the tokens are then bound.
//
// What counts once (assertions, proofs) is used up on all nodes at the end, after every
// check. Package proof judges what is signed, package clients knows what is registered;
// here both meet the request. A client that fails gets one answer, whatever failed.
package clientauth

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/proof"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

// PathToken is that of the token endpoint, to which assertions may be made out.
const PathToken = "/token"

// Endpoint is one that is asked by clients.
type Endpoint struct {
	Path   string // below the issuer
	Grants bool   // a JWT that is the grant proves the client here
	Proof  bool   // clients that are registered for bound tokens have to show a DPoP proof here
}

// Config is everything New needs.
type Config struct {
	Issuer  string
	Store   *store.Store // in which assertions and proofs are used up
	Clients *clients.Registry
	Keys    *clients.KeySources // by which clients' assertions are verified
	Nonces  *proof.Nonces       // of DPoP proofs
	Now     func() time.Time
}

// Auth finds out which client asks. Safe for concurrent use.
type Auth struct{ Config }

// New checks the configuration.
func New(c Config) (*Auth, error) {
	if c.Issuer == "" || c.Store == nil || c.Clients == nil || c.Keys == nil || c.Nonces == nil || c.Now == nil {
		return nil, errors.New("clientauth: every field is required")
	}
	return &Auth{c}, nil
}

// credentials are what a client sent to prove who it is.
type credentials struct {
	method    protocol.AuthMethod
	id        string
	secret    secret.String
	asSent    secret.String // the secret of Basic before it is form-decoded; empty by another method
	assertion *proof.Claimed
}

// onetime is an assertion that counts once, and the answer to the second time.
type onetime struct {
	proof.Once
	used error
}

// FromClient reads what a client posts, and finds out which client: what every
// endpoint for programs begins with.
func (a *Auth) FromClient(r *http.Request, at Endpoint) (*store.Client, wire.Params, error) {
	client, ps, singles, err := a.identify(r, at)
	if err != nil {
		return nil, nil, err
	}
	return client, ps, a.useUp(r.Context(), singles)
}

// Check is what an endpoint has to say against a request before anything of it is
// used up. jkt is the thumbprint of the DPoP key that was shown, empty without one.
type Check func(client *store.Client, ps wire.Params, jkt string) error

// FromClientWithKey is FromClient where a DPoP proof may come along: jkt is the
// thumbprint of its key, empty without one. Assertions and proof are used up
// together and last, so that a client which only lacks a nonce can send the same
// assertion again, and that nobody leaves rows behind by asking for nothing.
func (a *Auth) FromClientWithKey(r *http.Request, at Endpoint, check Check) (client *store.Client, ps wire.Params, jkt string, err error) {
	client, ps, singles, err := a.identify(r, at)
	if err != nil {
		return nil, nil, "", err
	}
	shown, err := a.tokenProof(r, at, client)
	if err != nil {
		return nil, nil, "", err
	}
	if shown != nil {
		jkt = shown.Thumbprint
	}
	if err := check(client, ps, jkt); err != nil {
		return nil, nil, "", err
	}
	if err := a.useUp(r.Context(), singles); err != nil {
		return nil, nil, "", err
	}
	return client, ps, jkt, a.useProof(r.Context(), shown)
}

// identify finds out which client asks, by the one method it is registered for
// (RFC 6749 §2.3) or by the assertion that is its grant. A public client is known
// by its client_id only. The assertions count when they are used up.
func (a *Auth) identify(r *http.Request, at Endpoint) (client *store.Client, ps wire.Params, singles []onetime, err error) {
	if ps, err = wire.PostedParams(r); err != nil {
		return nil, nil, nil, err
	}
	grant, err := readGrant(at, ps)
	if err != nil {
		return nil, nil, nil, err
	}
	cred, err := readCredentials(r, ps, grant)
	if err != nil {
		return nil, nil, nil, err
	}
	client, err = a.Clients.ByID(r.Context(), cred.id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil, nil, unknownClient(cred)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	web.InfoFrom(r.Context()).ClientID = client.ClientID
	if singles, err = a.authenticate(r, at, client, cred); err != nil || grant == nil {
		return client, ps, singles, err
	}
	once, err := a.checkGrant(r, at, client, grant)
	if cred.method == authMethodGrant {
		err = unproven(err)
	}
	return client, ps, append(singles, once...), err
}

// authenticate checks what proves a client. Where the grant does, it is checked
// after this, and nothing is asked of the client before.
func (a *Auth) authenticate(r *http.Request, at Endpoint, client *store.Client, cred credentials) ([]onetime, error) {
	if want := clients.AuthMethod(client); cred.method != want && cred.method != authMethodGrant {
		return nil, wire.InvalidClient("used " + string(cred.method) + ", registered for " + string(want))
	}
	switch cred.method {
	case protocol.AuthMethodNone, authMethodGrant:
		return nil, nil
	case protocol.AuthMethodPrivateKeyJWT:
		return a.checkAssertion(r, at, client, cred.assertion)
	}
	if !secretMatches(client, cred.secret, cred.asSent) {
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
//
// Many programs join them as they are (curl -u, Authlib). An id that is a URL is cut
// at its first colon then, and is unknown; a secret with a + or % in it is another
// once it is decoded, so it may also fit as it was sent.
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
	if !ok || err1 != nil || id == "" {
		return cred, false, wire.InvalidClient("Basic does not hold a form-encoded id and secret")
	}
	pass, _ := url.QueryUnescape(password) // empty when it cannot be decoded, and no secret is
	return credentials{method: protocol.AuthMethodBasic, id: id, secret: secret.String(pass), asSent: secret.String(password)}, true, nil
}

// secretMatches reports whether one of the spellings is a secret of the client. It
// compares the hashes of all of them, so time tells nothing about a secret.
func secretMatches(c *store.Client, spellings ...secret.String) bool {
	matches := false
	for _, s := range spellings {
		sum := secret.Hash(s)
		for _, h := range c.SecretHashes {
			matches = secret.Equal(h, sum) && s != "" || matches
		}
	}
	return matches
}

// Entry is what the audit log learns of a request: who asked, from where.
func Entry(r *http.Request, client *store.Client) store.Entry {
	info := web.InfoFrom(r.Context())
	return store.Entry{Actor: "client:" + client.ClientID, ClientID: client.ClientID, Address: info.Client.String(), RequestID: info.RequestID}
}
