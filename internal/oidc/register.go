package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/web"
)

const (
	maxMetadata   = 64 << 10 // bytes of a registration
	maxRegistered = 1000     // relying parties that registered themselves, of an installation
	maxHint       = 300      // bytes of an error_description
)

// Registers reports whether relying parties can register themselves.
func (p *Provider) Registers() bool { return p.InitialAccessToken != nil }

// ServeRegister answers the registration endpoint (RFC 7591 §3, OIDC Registration
// §3) for who holds the initial access token. What registers itself is never
// trusted, and acts for nobody but people who have consented. It cannot be read or
// changed by its own token (RFC 7592 is not offered): `idp client` does that.
func (p *Provider) ServeRegister(w http.ResponseWriter, r *http.Request) error {
	if r.Method != http.MethodPost {
		return wire.Failure{Status: http.StatusMethodNotAllowed, Allow: "POST", Err: protocol.ErrInvalidRequest().WithDescription("the method must be POST")}
	}
	if err := p.checkInitialToken(r); err != nil {
		return err
	}
	body, err := readMetadata(r)
	if err != nil {
		return err
	}
	registered, err := p.register(r, body)
	if err != nil {
		return err
	}
	answer, err := json.Marshal(registered) //nolint:gosec // its secret is for the client that asks
	if err != nil {
		return err
	}
	wire.WriteJSON(w, http.StatusCreated, answer)
	return nil
}

// checkInitialToken: RFC 7591 §3: an initial access token comes as a bearer token
// in the header (RFC 6750 §2.1). Hashes are compared, so time tells nothing.
func (p *Provider) checkInitialToken(r *http.Request) error {
	const realm = `Bearer realm="registration"`
	headers := r.Header.Values("Authorization")
	if len(headers) > 1 {
		return wire.Failure{Status: http.StatusBadRequest, Challenges: []string{realm + `, error="invalid_request"`},
			Err: protocol.ErrInvalidRequest().WithDescription("more than one Authorization header")}
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, protocol.BearerToken) || token == "" {
		return noToken(realm)
	}
	if !secret.Equal(secret.Hash(secret.String(token)), p.InitialAccessToken) {
		return wire.Failure{Status: http.StatusUnauthorized, Challenges: []string{realm + `, error="invalid_token"`},
			Err: &protocol.Error{ErrorType: wire.InvalidToken, Description: "the initial access token is not valid"}}
	}
	return nil
}

// readMetadata reads a body of application/json (RFC 7591 §3.1).
func readMetadata(r *http.Request) ([]byte, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, &protocol.Error{ErrorType: wire.InvalidClientMetadata, Description: "the body must be application/json"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxMetadata))
	if err != nil {
		return nil, &protocol.Error{ErrorType: wire.InvalidClientMetadata, Description: "the body is longer than 64 KB, or could not be read", Parent: err}
	}
	return body, nil
}

// register makes the relying party, and returns its metadata as they count, with
// its secret where it has one (RFC 7591 §3.2.1).
func (p *Provider) register(r *http.Request, body []byte) (*registeredClient, error) {
	registration, err := clients.ParseRegistration(body)
	if err != nil {
		return nil, badMetadata(err)
	}
	c := registration.Client
	c.ClientID = secret.ID()
	var plain secret.String
	if clients.UsesSecret(&c) {
		plain = secret.Token()
		c.SecretHashes = [][]byte{secret.Hash(plain)}
	}
	if problems := clients.Check(&c); len(problems) > 0 {
		return nil, badMetadata(problems[0])
	}
	if err := p.Clients.CheckNewcomer(r.Context(), &c, p.Issuer); clients.IsClaimed(err) {
		return nil, badMetadata(err)
	} else if err != nil {
		return nil, err
	}
	if err := p.needKeys(r, &c); err != nil { // before the secret counts: an error must not lose it
		return nil, err
	}
	web.InfoFrom(r.Context()).ClientID = c.ClientID
	e := clientauth.Entry(r, &c)
	e.Name = c.ClientName
	err = p.Store.RegisterClient(r.Context(), c, maxRegistered, e)
	if errors.Is(err, store.ErrTooMany) {
		return nil, protocol.ErrAccessDenied().WithDescription("%d relying parties have registered themselves here, and no more can: the administrator may remove some", maxRegistered)
	}
	if err != nil {
		return nil, err
	}
	c.CreatedAt = p.Now().UnixMilli()
	return answerTo(registration, c, plain), nil
}

// needKeys makes keys that not every installation has, so that they are published
// before the first login.
func (p *Provider) needKeys(r *http.Request, c *store.Client) error {
	algs := []string{c.IDTokenAlg}
	if c.UserinfoAlg != "" {
		algs = append(algs, c.UserinfoAlg)
	}
	return p.Keys.Need(r.Context(), algs...)
}

// registeredClient is a client information response (RFC 7591 §3.2.1).
type registeredClient struct {
	clients.Metadata
	Secret          string `json:"client_secret,omitempty"`            // told this once
	SecretExpiresAt *int64 `json:"client_secret_expires_at,omitempty"` // 0: never
	ApplicationType string `json:"application_type"`
}

// answerTo leaves out what is ours to know.
func answerTo(registration *clients.Registration, c store.Client, plain secret.String) *registeredClient {
	a := &registeredClient{Metadata: clients.MetadataOf(c), ApplicationType: registration.ApplicationType}
	a.Trusted, a.RequirePKCE, a.Registered = nil, nil, false
	if plain != "" {
		never := int64(0)
		a.Secret, a.SecretExpiresAt = plain.Reveal(), &never
	}
	return a
}

// badMetadata is the protocol's answer to metadata that is refused (RFC 7591
// §3.2.2), with the hint that names the member.
func badMetadata(cause error) error {
	hint := cause.Error()
	e := &protocol.Error{ErrorType: wire.InvalidClientMetadata}
	if strings.HasPrefix(hint, "redirect_uris:") {
		e.ErrorType = wire.InvalidRedirectURI
	}
	e.Description = plainHint(hint)
	return e
}

// plainHint keeps to the characters of an error_description (RFC 7591 §3.2.2,
// RFC 6749 §5.2): what is wrong may be anything.
func plainHint(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '\''
		case r < ' ' || r > '~' || r == '\\':
			return '?'
		}
		return r
	}, text)
	if len(text) > maxHint {
		text = fmt.Sprintf("%s...", text[:maxHint])
	}
	return text
}
