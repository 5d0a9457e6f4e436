package oidc

import (
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/authn"
)

// unmetRequirements: OpenID Connect Core Error Code
// unmet_authentication_requirements 1.0 §2.
const unmetRequirements = "unmet_authentication_requirements"

// wantedACR are the levels asked for, the most wanted first: those of the claims
// parameter, and acr_values, which is only ever a wish (OIDC Core §3.1.2.1).
func (a *authRequest) wantedACR() []string {
	return slices.Concat(a.claims.acr, strings.Fields(a.params["acr_values"]))
}

// meetsACR reports whether a session of this level will do. Only acr as an
// essential claim with values demands anything (OIDC Core §5.5.1.1).
func (a *authRequest) meetsACR(have string) bool {
	if !a.claims.acrNeeded {
		return true
	}
	_, ok := authn.SatisfiedACR(have, a.claims.acr)
	return ok
}

// unreachableACR reports whether no login would do, so that nobody is asked for
// another one.
func (a *authRequest) unreachableACR() bool {
	return a.claims.acrNeeded && !authn.ReachableACR(a.claims.acr)
}

// toldACR is the acr that tokens tell of a session: of the levels asked for the
// first that it satisfies, for the relying party compares; else its own.
func (a *authRequest) toldACR(have string) string {
	if level, ok := authn.SatisfiedACR(have, a.wantedACR()); ok {
		return level
	}
	return have
}

func errUnmetACR() *protocol.Error {
	return &protocol.Error{ErrorType: unmetRequirements, Description: "the login does not reach the acr that is essential"}
}
