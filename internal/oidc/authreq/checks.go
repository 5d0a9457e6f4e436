package authreq

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
)

// checkPushed: RFC 9126 §5, of the client's registration.
func checkPushed(a *Request) error {
	if clients.RequiresPAR(a.Client) && len(a.Pushed) == 0 {
		return protocol.ErrInvalidRequest().WithDescription("this client must push its authorization requests (RFC 9126)")
	}
	return nil
}

// checkResponseType: RFC 6749 §3.1.1. The implicit and hybrid flows are not
// offered (RFC 9700 §2.1.2).
func checkResponseType(a *Request) error {
	switch a.Params["response_type"] {
	case string(protocol.ResponseTypeCode):
		return nil
	case "":
		return protocol.ErrInvalidRequest().WithDescription("response_type is missing")
	}
	return &protocol.Error{ErrorType: wire.UnsupportedResponseType, Description: "only code is supported"}
}

// checkGrantType: RFC 6749 §4.1.2.1, unauthorized_client.
func checkGrantType(a *Request) error {
	if !clients.MayUse(a.Client, protocol.GrantTypeCode) {
		return protocol.ErrUnauthorizedClient().WithDescription("the client is not registered for authorization_code")
	}
	return nil
}

// checkResponseMode: OAuth 2.0 Multiple Response Types §2.1, Form Post Response
// Mode §2.
func checkResponseMode(a *Request) error {
	mode := cmp.Or(a.Params["response_mode"], responseModeQuery)
	if !slices.Contains(ResponseModes, mode) {
		return protocol.ErrInvalidRequest().WithDescription("response_mode must be one of %s", strings.Join(ResponseModes, ", "))
	}
	if mode == responseModeFormPost && !a.FormPost {
		return protocol.ErrInvalidRequest().WithDescription("response_mode form_post needs a redirect_uri of http or https")
	}
	return nil
}

// checkScope: RFC 6749 §3.3. What the client may not have is left out, and the
// token response says what is left.
func checkScope(a *Request) error {
	a.Scope = clients.AllowedScope(a.Client, a.Params["scope"])
	if a.Scope == "" {
		return wire.NoScope()
	}
	return nil
}

// Prompts are the values of prompt that we know (OIDC Core §3.1.2.1). For a
// trusted client consent changes nothing: its admin has consented.
var Prompts = []string{protocol.PromptNone, protocol.PromptLogin, protocol.PromptSelectAccount, protocol.PromptConsent}

// checkPrompt: OIDC Core §3.1.2.1; values that discovery does not have are refused
// (Initiating User Registration via OpenID Connect 1.0 §4.1.1).
func checkPrompt(a *Request) error {
	a.prompt = strings.Fields(a.Params["prompt"])
	if slices.ContainsFunc(a.prompt, func(value string) bool { return !slices.Contains(Prompts, value) }) {
		return protocol.ErrInvalidRequest().WithDescription("prompt holds a value that is not supported")
	}
	if a.Prompts(protocol.PromptNone) && len(a.prompt) > 1 {
		return protocol.ErrInvalidRequest().WithDescription("prompt=none cannot be combined")
	}
	return nil
}

// maxMaxAge keeps max_age within what a time.Duration holds.
const maxMaxAge = 10 * 365 * 24 * 3600

// checkMaxAge: OIDC Core §3.1.2.1, in seconds; default_max_age of the client's
// registration where it is not given (OIDC Registration §2).
func checkMaxAge(a *Request) error {
	text := a.Params["max_age"]
	if text == "" && a.Client.DefaultMaxAge != nil {
		text = strconv.FormatInt(*a.Client.DefaultMaxAge, 10)
	}
	if text == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(text, 10, 63)
	if err != nil {
		return protocol.ErrInvalidRequest().WithDescription("max_age must be a number of seconds")
	}
	a.MaxAge = time.Duration(min(seconds, maxMaxAge)) * time.Second
	return nil
}

// maxNonce bounds what of a request is kept with its code, in bytes.
const maxNonce = 2048

func checkNonceLength(a *Request) error {
	if len(a.Params["nonce"]) > maxNonce {
		return protocol.ErrInvalidRequest().WithDescription("nonce is too long")
	}
	return nil
}

// checkPKCE: RFC 7636 §4.4.1, with S256 only (RFC 9700 §2.1.1): a method left
// out means plain, and is refused like it.
func checkPKCE(a *Request) error {
	challenge, method := a.Params["code_challenge"], a.Params["code_challenge_method"]
	if challenge == "" && method == "" && !clients.RequiresPKCE(a.Client) {
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
	a.Challenge = challenge
	return nil
}

// checkDPoPKey: RFC 9449 §10: the code will be good with this key only.
func checkDPoPKey(a *Request) error {
	jkt := a.Params["dpop_jkt"]
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
func checkNonce(a *Request) error {
	if a.Challenge == "" && clients.RequiresNonce(a.Client) && (a.Params["nonce"] == "" || !clients.HasScope(a.Scope, protocol.ScopeOpenID)) {
		return protocol.ErrInvalidRequest().WithDescription("without PKCE scope openid and a nonce are required")
	}
	return nil
}
