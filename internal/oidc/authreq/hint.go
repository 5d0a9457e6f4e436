package authreq

import (
	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/tokens"
)

const badHint = "id_token_hint is not an ID token that this issuer gave to this client"

// checkHint: an id_token_hint says who must be logged in (OIDC Core §3.1.2.1). It
// may have expired. One that we did not make, or made too long ago to verify it,
// names nobody, so that no answer could be about them: that is an error, and for
// prompt=none the one that relying parties know. So is one that another client was
// given: nobody is to find out whether its person is here.
func (a *Request) checkHint(t *tokens.Tokens) error {
	text := a.Params["id_token_hint"]
	if text == "" {
		return nil
	}
	hint, err := t.ReadHint(text)
	switch {
	case err == nil && hint.Audience == a.Client.ClientID:
		a.hint = hint.Subject
		return nil
	case a.Prompts(protocol.PromptNone):
		return protocol.ErrLoginRequired().WithDescription(badHint).WithParent(err)
	}
	return protocol.ErrInvalidRequest().WithDescription(badHint).WithParent(err)
}

// IsAbout reports whether the answer may be about this user: whom id_token_hint
// and the claims parameter's sub name, if they name somebody.
func (a *Request) IsAbout(userID string) bool {
	return (a.hint == "" || a.hint == userID) && a.Claims.allows(userID)
}
