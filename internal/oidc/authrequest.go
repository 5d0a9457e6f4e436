package oidc

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/store"
	"idp/internal/web"
)

// authRequest is an authorization request whose client and redirect URI are
// proven: from here on errors go to the relying party.
type authRequest struct {
	params   wire.Params
	client   *store.Client
	redirect string
	formPost bool   // the answer is posted, not put into the query
	pushed   []byte // hash of the request the client pushed (RFC 9126); nil: it did not

	scope     string // what of the asked scope the client may have
	resource  string // whom access tokens may be for, separated by spaces; empty: nobody was named
	claims    claimsRequest
	prompt    []string
	maxAge    time.Duration // -1: not given
	hint      string        // the user that id_token_hint names; empty: none
	challenge string        // S256; empty without PKCE
}

// authChecks stand in the order of OIDC Core §3.1.2.1 and the specifications
// that add to it.
var authChecks = []func(*authRequest) error{
	checkRequestObject,
	checkPushed,
	checkResponseType,
	checkGrantType,
	checkResponseMode,
	checkScope,
	checkClaims,
	checkPrompt,
	checkMaxAge,
	checkPKCE,
	checkDPoPKey,
	checkNonceLength,
	checkNonce,
}

// readAuthRequest parses and checks an authorization request. With a nil request
// the error is a page's; with one, it is for the relying party.
func (p *Provider) readAuthRequest(ctx context.Context, raw string) (*authRequest, error) {
	ps, malformed := wire.Parse(raw, wire.MaxQuery)
	ps, pushed, err := p.expand(ctx, ps, ps["client_id"])
	if err != nil {
		return nil, err
	}
	return p.proveAuthRequest(ctx, ps, pushed, malformed)
}

// reread checks anew a request that a login request keeps.
func (p *Provider) reread(ctx context.Context, raw string) (*authRequest, error) {
	ps, pushed, err := readKept(raw)
	if err != nil {
		return nil, err
	}
	return p.proveAuthRequest(ctx, ps, pushed, nil)
}

// proveAuthRequest proves client and redirect URI before all else.
func (p *Provider) proveAuthRequest(ctx context.Context, ps wire.Params, pushed []byte, malformed error) (*authRequest, error) {
	client, err := p.clientOf(ctx, ps, malformed)
	if err != nil {
		return nil, err
	}
	if err := checkRedirectURI(client, ps["redirect_uri"], malformed); err != nil {
		return nil, err
	}
	if pushed != nil {
		if err := p.unused(ctx, pushed); err != nil {
			return nil, err
		}
	}
	a := newAuthRequest(ps, client)
	a.pushed = pushed
	if malformed != nil {
		return a, malformed
	}
	return a, p.checkAuthRequest(a)
}

// newAuthRequest is a request that is still to be checked. How its answer travels
// is known from the start, for errors travel like codes.
func newAuthRequest(ps wire.Params, client *store.Client) *authRequest {
	a := &authRequest{params: ps, client: client, redirect: ps["redirect_uri"], maxAge: -1}
	mode := cmp.Or(ps["response_mode"], readRequestObject(ps["request"]).ResponseMode)
	a.formPost = mode == responseModeFormPost && postable(a.redirect)
	return a
}

// postable: a form goes to a web address, not to an app's own scheme.
func postable(uri string) bool {
	return strings.HasPrefix(uri, "https://") || strings.HasPrefix(uri, "http://")
}

// state comes back with every answer (RFC 6749 §4.1.2).
func (a *authRequest) state() string {
	return cmp.Or(a.params["state"], readRequestObject(a.params["request"]).State)
}

func (p *Provider) checkAuthRequest(a *authRequest) error {
	for _, check := range authChecks {
		if err := check(a); err != nil {
			return err
		}
	}
	if err := p.checkResource(a); err != nil {
		return err
	}
	return p.checkHint(a)
}

// clientOf finds the client (RFC 6749 §4.1.2.1: never a redirect without one).
func (p *Provider) clientOf(ctx context.Context, ps wire.Params, malformed error) (*store.Client, error) {
	id := ps["client_id"]
	if id == "" {
		return nil, linkError("CLIENT_MISSING", "The site that sent you here did not say which site it is (client_id).", malformed)
	}
	client, err := p.Clients.ByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, linkError("RELYING_PARTY_UNKNOWN", "The site that sent you here is not registered with us.", err)
	}
	if err != nil {
		return nil, err
	}
	web.InfoFrom(ctx).ClientID = client.ClientID
	return client, nil
}

// checkRedirectURI: RFC 6749 §3.1.2.4; OIDC Core requires the parameter.
func checkRedirectURI(c *store.Client, uri string, malformed error) error {
	if uri == "" {
		return linkError("REDIRECT_URI_MISSING", "The site that sent you here did not say where to send you back (redirect_uri).", malformed)
	}
	if !clients.RedirectAllowed(c, uri) {
		return linkError("REDIRECT_URI_UNKNOWN", "The address to send you back to (redirect_uri) is not registered for this site.", nil)
	}
	return nil
}

// linkError is the page for a link that leads nowhere: nothing in it can be
// trusted, so nothing of it is followed or shown.
func linkError(code, message string, cause error) error {
	return &web.Error{
		Status: http.StatusBadRequest, Code: code, Title: "This link does not work", Message: message,
		Hint: "Go back to the site and try again. If it happens again, tell the people who run that site.", Err: cause,
	}
}

// checkResponseType: RFC 6749 §3.1.1. The implicit and hybrid flows are not
// offered (RFC 9700 §2.1.2).
func checkResponseType(a *authRequest) error {
	switch a.params["response_type"] {
	case string(protocol.ResponseTypeCode):
		return nil
	case "":
		return protocol.ErrInvalidRequest().WithDescription("response_type is missing")
	}
	return &protocol.Error{ErrorType: wire.UnsupportedResponseType, Description: "only code is supported"}
}

// checkGrantType: RFC 6749 §4.1.2.1, unauthorized_client.
func checkGrantType(a *authRequest) error {
	if !clients.MayUse(a.client, protocol.GrantTypeCode) {
		return protocol.ErrUnauthorizedClient().WithDescription("the client is not registered for authorization_code")
	}
	return nil
}

// checkResponseMode: OAuth 2.0 Multiple Response Types §2.1, Form Post Response
// Mode §2.
func checkResponseMode(a *authRequest) error {
	mode := cmp.Or(a.params["response_mode"], responseModeQuery)
	if !slices.Contains(responseModes, mode) {
		return protocol.ErrInvalidRequest().WithDescription("response_mode must be one of %s", strings.Join(responseModes, ", "))
	}
	if mode == responseModeFormPost && !a.formPost {
		return protocol.ErrInvalidRequest().WithDescription("response_mode form_post needs a redirect_uri of http or https")
	}
	return nil
}

// checkScope: RFC 6749 §3.3. What the client may not have is left out, and the
// token response says what is left.
func checkScope(a *authRequest) error {
	a.scope = clients.AllowedScope(a.client, a.params["scope"])
	if a.scope == "" {
		return wire.NoScope()
	}
	return nil
}

// prompts are the values of prompt that we know (OIDC Core §3.1.2.1). For a
// trusted client consent changes nothing: its admin has consented.
var prompts = []string{protocol.PromptNone, protocol.PromptLogin, protocol.PromptSelectAccount, protocol.PromptConsent}

// checkPrompt: OIDC Core §3.1.2.1; values that discovery does not have are refused
// (Initiating User Registration via OpenID Connect 1.0 §4.1.1).
func checkPrompt(a *authRequest) error {
	a.prompt = strings.Fields(a.params["prompt"])
	if slices.ContainsFunc(a.prompt, func(value string) bool { return !slices.Contains(prompts, value) }) {
		return protocol.ErrInvalidRequest().WithDescription("prompt holds a value that is not supported")
	}
	if a.prompts(protocol.PromptNone) && len(a.prompt) > 1 {
		return protocol.ErrInvalidRequest().WithDescription("prompt=none cannot be combined")
	}
	return nil
}

func (a *authRequest) prompts(value string) bool { return slices.Contains(a.prompt, value) }

// maxMaxAge keeps max_age within what a time.Duration holds.
const maxMaxAge = 10 * 365 * 24 * 3600

// checkMaxAge: OIDC Core §3.1.2.1, in seconds; default_max_age of the client's
// registration where it is not given (OIDC Registration §2).
func checkMaxAge(a *authRequest) error {
	text := a.params["max_age"]
	if text == "" && a.client.DefaultMaxAge != nil {
		text = strconv.FormatInt(*a.client.DefaultMaxAge, 10)
	}
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return protocol.ErrInvalidRequest().WithDescription("max_age must be a number of seconds")
	}
	a.maxAge = time.Duration(min(seconds, maxMaxAge)) * time.Second
	return nil
}

// maxNonce bounds what of a request is kept with its code, in bytes.
const maxNonce = 2048

func checkNonceLength(a *authRequest) error {
	if len(a.params["nonce"]) > maxNonce {
		return protocol.ErrInvalidRequest().WithDescription("nonce is too long")
	}
	return nil
}

// checkPKCE: RFC 7636 §4.4.1, with S256 only (RFC 9700 §2.1.1): a method left
// out means plain, and is refused like it.
func checkPKCE(a *authRequest) error {
	challenge, method := a.params["code_challenge"], a.params["code_challenge_method"]
	if challenge == "" && method == "" && !clients.RequiresPKCE(a.client) {
		return nil
	}
	if challenge == "" {
		return protocol.ErrInvalidRequest().WithDescription("code_challenge is missing (PKCE)")
	}
	if method != string(protocol.CodeChallengeMethodS256) {
		return protocol.ErrInvalidRequest().WithDescription("code_challenge_method must be S256")
	}
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(challenge); err != nil || len(raw) != sha256.Size {
		return protocol.ErrInvalidRequest().WithDescription("code_challenge must be a SHA-256 in base64url (43 characters)")
	}
	a.challenge = challenge
	return nil
}

// checkDPoPKey: RFC 9449 §10: the code will be good with this key only.
func checkDPoPKey(a *authRequest) error {
	jkt := a.params["dpop_jkt"]
	if jkt == "" {
		return nil
	}
	if raw, err := base64.RawURLEncoding.Strict().DecodeString(jkt); err != nil || len(raw) != sha256.Size {
		return protocol.ErrInvalidRequest().WithDescription("dpop_jkt must be a SHA-256 in base64url (43 characters)")
	}
	return nil
}

// checkNonce: a client without PKCE is protected against injected codes by its
// nonce, so it has to send one (RFC 9700 §2.1.1), unless its admin said that it
// can do neither: OIDC Core §3.1.2.1 asks for none.
func checkNonce(a *authRequest) error {
	if a.challenge == "" && clients.RequiresNonce(a.client) && (a.params["nonce"] == "" || !clients.HasScope(a.scope, protocol.ScopeOpenID)) {
		return protocol.ErrInvalidRequest().WithDescription("without PKCE scope openid and a nonce are required")
	}
	return nil
}

// checkResource: RFC 8707 §2. Several may be asked for; each token is for one.
func (p *Provider) checkResource(a *authRequest) (err error) {
	a.resource, err = p.tokens.Targets(a.client, a.params)
	return err
}
