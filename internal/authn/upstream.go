package authn

import (
	"context"
	"time"

	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/store"
	"idp/internal/user"
)

// unknownAge is how old an authentication is taken to be whose time an upstream does
// not tell: nobody may take it for a recent one.
const unknownAge = 24 * time.Hour

// UpstreamLogin is a login at an upstream whose ID token was good.
type UpstreamLogin struct {
	Person   user.UpstreamPerson
	Session  store.UpstreamSession
	ACR      string    // one of ACRLevels, where the configuration trusts what the upstream says; else empty
	AuthTime time.Time // when the person acted there; zero: not told
}

// Upstream says whose the login is. The error is a *reason.Error when it is refused.
func (a *Authn) Upstream(ctx context.Context, l UpstreamLogin, from policy.From) (*Result, error) {
	u, err := a.mapping.Upstream(ctx, l.Person)
	if err != nil {
		return nil, a.UpstreamRefused(ctx, l.Person.Upstream, l.Person.Subject, err, from)
	}
	at := l.AuthTime
	if at.IsZero() {
		at = a.Now().Add(-unknownAge)
	}
	return &Result{User: u, AMR: amrOf(l.ACR), AuthTime: at, Upstream: l.Session}, nil
}

// UpstreamRefused books the refusal of a login at an upstream, of a subject there
// (empty: not known).
func (a *Authn) UpstreamRefused(ctx context.Context, upstream, subject string, err error, from policy.From) error {
	if subject == "" {
		return a.failOfNobody(ctx, from, upstream, typed(err))
	}
	return a.fail(ctx, from, reason.Short(upstream+":"+subject), typed(err))
}

// amrOf are methods that reach a level, for a login that happened elsewhere: what we
// have not seen ourselves is not told. One factor needs none.
func amrOf(acr string) []string {
	switch acr {
	case policy.ACRPhishingResistant:
		return []string{policy.AMRPasskey, policy.AMRUserVerified}
	case policy.ACRMultiFactor:
		return []string{policy.AMRMultiFactor}
	}
	return nil
}
