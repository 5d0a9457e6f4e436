package authn

import (
	"context"
	"errors"
	"time"

	"idp/internal/policy"
	"idp/internal/store"
)

// Passkey logs in whom a passkey names, alone: verify says who that is, and which
// factor it was; its error is a *reason.Error when the passkey was refused. A passkey
// that makes sure of its person is two factors, what they have and what they know or
// are. Nothing is counted: there is nothing to guess, and no name that somebody could
// be kept out of; a refusal takes as long as that of a password.
func (a *Authn) Passkey(ctx context.Context, from policy.From, verify func(context.Context) (u *store.User, factorID string, err error)) (*Result, error) {
	start := time.Now()
	u, id, err := verify(ctx)
	if err != nil {
		return nil, errors.Join(a.failOfNobody(ctx, from, "", err), a.waitOut(ctx, start))
	}
	return &Result{User: u, AMR: []string{policy.AMRPasskey, policy.AMRUserVerified, policy.AMRMultiFactor}, AuthTime: a.Now(), FactorID: id}, nil
}
