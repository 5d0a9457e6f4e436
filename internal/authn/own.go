package authn

import (
	"context"
	"errors"
	"time"

	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/store"
)

// slowFloor is failureFloor where hashes were imported that take long to check: a name
// that has one must not be answered later than one that is nobody's.
const slowFloor = 3 * failureFloor

// waitOut answers a failure at a whole multiple of the floor, so that its duration
// tells little also where the KDC is far away; and where passwords that are hashed here
// wait for a processor, all others wait as long.
func (a *Authn) waitOut(ctx context.Context, start time.Time) error {
	floor := slowFloor
	if _, err := a.Store.Setting(context.WithoutCancel(ctx), store.SettingSlowHashes); errors.Is(err, store.ErrNotFound) {
		floor = failureFloor
	}
	took := time.Since(start)
	return wait(ctx, max(took, a.hashing.lately()).Truncate(floor)+floor-took)
}

// Confirm checks the local password of whoever is logged in, as one of the guesses at
// it, and returns its hash as it stands now. The error is a *reason.Error when it is
// wrong; it comes as late as Password's.
func (a *Authn) Confirm(ctx context.Context, u *store.User, password secret.String, from policy.From) (hash string, err error) {
	start := time.Now()
	if hash, err = a.confirm(ctx, u, password, from); err == nil {
		return hash, nil
	}
	err = a.fail(ctx, from, u.Name, typed(err))
	return "", errors.Join(err, a.waitOut(ctx, start))
}

func (a *Authn) confirm(ctx context.Context, u *store.User, password secret.String, from policy.From) (string, error) {
	if err := checkTyped(u.Name, password); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	acc := account{canonical: a.countedHere(u.Name), local: u}
	a.place(&acc, from)
	acc.known = true // whoever is logged in is not kept out by strangers
	res, err := a.counted(ctx, acc, password)
	if err != nil {
		return "", err
	}
	return res.PasswordHash, nil
}
