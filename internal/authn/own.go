package authn

import (
	"context"
	"errors"
	"time"

	"idp/internal/secret"
	"idp/internal/store"
)

// slowFloor is failureFloor where hashes were imported that take long to check: a name
// that has one must not be answered later than one that is nobody's.
const slowFloor = 3 * failureFloor

// waitOut is the function of that name, with the floor that this installation needs.
func (a *Authn) waitOut(ctx context.Context, start time.Time) error {
	_, err := a.Store.Setting(context.WithoutCancel(ctx), store.SettingSlowHashes)
	if errors.Is(err, store.ErrNotFound) {
		return waitOut(ctx, start)
	}
	return wait(ctx, slowFloor-time.Since(start)%slowFloor)
}

// Confirm checks the local password of whoever is logged in, as one of the guesses at
// it, and returns its hash as it stands now. The error is a *reason.Error when it is
// wrong; it comes as late as Password's.
func (a *Authn) Confirm(ctx context.Context, u *store.User, password secret.String, from From) (hash string, err error) {
	start := time.Now()
	if hash, err = a.confirm(ctx, u, password); err == nil {
		return hash, nil
	}
	err = a.fail(ctx, from, u.Name, typed(err))
	return "", errors.Join(err, a.waitOut(ctx, start))
}

func (a *Authn) confirm(ctx context.Context, u *store.User, password secret.String) (string, error) {
	if err := checkTyped(u.Name, password); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	res, err := a.counted(ctx, account{counted: "local:" + u.Name, local: u}, password)
	if err != nil {
		return "", err
	}
	return res.PasswordHash, nil
}
