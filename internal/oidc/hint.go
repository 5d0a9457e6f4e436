package oidc

import (
	protocol "github.com/zitadel/oidc/v3/pkg/oidc"
)

// checkHint: an id_token_hint says who must be logged in (OIDC Core §3.1.2.1). It
// may have expired. One that we did not make, or made too long ago to verify it,
// names nobody, so that no answer could be about them: that is an error, and for
// prompt=none the one that relying parties know.
func (p *Provider) checkHint(a *authRequest) error {
	text := a.params["id_token_hint"]
	if text == "" {
		return nil
	}
	hint, err := p.tokens.ReadHint(text)
	if err != nil && a.prompts(protocol.PromptNone) {
		return protocol.ErrLoginRequired().WithDescription("id_token_hint is not an ID token of this issuer").WithParent(err)
	}
	if err != nil {
		return protocol.ErrInvalidRequest().WithDescription("id_token_hint is not an ID token of this issuer").WithParent(err)
	}
	a.hint = hint.Subject
	return nil
}

// isAbout reports whether the answer may be about this user: whom id_token_hint
// and the claims parameter's sub name, if they name somebody.
func (a *authRequest) isAbout(userID string) bool {
	return (a.hint == "" || a.hint == userID) && a.claims.allows(userID)
}
