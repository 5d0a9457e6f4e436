package authreq

import (
	"slices"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/policy"
)

// unmetRequirements: OpenID Connect Core Error Code
// unmet_authentication_requirements 1.0 §2.
const unmetRequirements = "unmet_authentication_requirements"

// wantedACR are the levels asked for, the most wanted first: those of the claims
// parameter, and acr_values, which is only ever a wish (OIDC Core §3.1.2.1).
func (a *Request) wantedACR() []string {
	return slices.Concat(a.Claims.acr, strings.Fields(a.Params["acr_values"]))
}

// MeetsACR reports whether a session of this level will do. Only acr as an
// essential claim with values demands anything (OIDC Core §5.5.1.1).
func (a *Request) MeetsACR(have string) bool {
	if !a.Claims.acrNeeded {
		return true
	}
	_, ok := policy.SatisfiedACR(have, a.Claims.acr)
	return ok
}

// NeededACR is the level that a login for the request must reach at least: the
// weakest of those that are essential, or else wished for. A wish that a session
// does not meet sends its person to show more; prompt=none has no person, and gets
// what there is. Empty: none is asked for that we know.
func (a *Request) NeededACR() string {
	if a.Claims.acrNeeded {
		return policy.WeakestACR(a.Claims.acr)
	}
	return policy.WeakestACR(a.wantedACR())
}

// UnreachableACR reports whether no login would do, so that nobody is asked for
// another one.
func (a *Request) UnreachableACR() bool {
	return a.Claims.acrNeeded && !policy.ReachableACR(a.Claims.acr)
}

// ToldACR is the acr that tokens tell of a session: of the levels asked for the
// first that it satisfies, for the relying party compares; else its own.
func (a *Request) ToldACR(have string) string {
	if level, ok := policy.SatisfiedACR(have, a.wantedACR()); ok {
		return level
	}
	return have
}

// UnmetACR is the answer when the login that there is, or any, does not do.
func UnmetACR() *protocol.Error {
	return &protocol.Error{ErrorType: unmetRequirements, Description: "the login does not reach the acr that is essential"}
}
