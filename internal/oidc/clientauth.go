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
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

// credentials are what a client sent to prove who it is.
type credentials struct {
	method protocol.AuthMethod
	id     string
	secret secret.String
}

// fromClient reads what a client posts, and finds out which client: what every
// endpoint for programs begins with.
func (p *Provider) fromClient(r *http.Request) (*store.Client, params, error) {
	ps, err := formParams(r)
	if err != nil {
		return nil, nil, err
	}
	client, err := p.authenticate(r, ps)
	return client, ps, err
}

// authenticate finds out which client asks, by the one method it is registered
// for (RFC 6749 §2.3). A public client is known by its client_id only.
func (p *Provider) authenticate(r *http.Request, ps params) (*store.Client, error) {
	cred, err := readCredentials(r, ps)
	if err != nil {
		return nil, err
	}
	client, err := p.Clients.ByID(r.Context(), cred.id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, invalidClient("client is unknown")
	}
	if err != nil {
		return nil, err
	}
	web.InfoFrom(r.Context()).ClientID = client.ClientID
	if want := clients.AuthMethod(client); cred.method != want {
		return nil, invalidClient("used " + string(cred.method) + ", registered for " + string(want))
	}
	if cred.method != protocol.AuthMethodNone && !secretMatches(client, cred.secret) {
		return nil, invalidClient("client secret is wrong")
	}
	return client, nil
}

// readCredentials: more than one method in a request is an error (RFC 6749 §2.3).
func readCredentials(r *http.Request, ps params) (credentials, error) {
	if ps["client_assertion"] != "" || ps["client_assertion_type"] != "" {
		return credentials{}, invalidClient("client assertions are not supported")
	}
	cred, basic, err := basicCredentials(r)
	if err != nil {
		return credentials{}, err
	}
	id, posted := ps["client_id"], ps["client_secret"]
	switch {
	case basic && posted != "":
		return credentials{}, protocol.ErrInvalidRequest().WithDescription("more than one method of client authentication")
	case basic && id != "" && id != cred.id:
		return credentials{}, protocol.ErrInvalidRequest().WithDescription("client_id is not the one that authenticated")
	case basic:
		return cred, nil
	case id == "":
		return credentials{}, invalidClient("no client authentication")
	case posted != "":
		return credentials{protocol.AuthMethodPost, id, secret.String(posted)}, nil
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
		return cred, false, invalidClient("Basic is not base64")
	}
	user, password, ok := strings.Cut(string(raw), ":")
	id, err1 := url.QueryUnescape(user)
	pass, err2 := url.QueryUnescape(password)
	if !ok || err1 != nil || err2 != nil || id == "" {
		return cred, false, invalidClient("Basic does not hold a form-encoded id and secret")
	}
	return credentials{protocol.AuthMethodBasic, id, secret.String(pass)}, true, nil
}

// secretMatches compares hashes, so time tells nothing about a secret.
func secretMatches(c *store.Client, s secret.String) bool {
	sum := secret.Hash(s)
	return s != "" && slices.ContainsFunc(c.SecretHashes, func(h []byte) bool { return secret.Equal(h, sum) })
}
