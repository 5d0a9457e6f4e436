package authn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"idp/internal/audit"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
)

// ChangePassword sets a new password at the KDC, for whoever has just typed one that
// has expired (RFC 3244), and logs in with it. The old password is a guess like
// any other. The error is a *reason.Error: of a login, or PASSWORD_REFUSED when
// the KDC did not take the new one; it comes a multiple of half a second after
// the call.
func (a *Authn) ChangePassword(ctx context.Context, name string, old, next secret.String, from policy.From) (*Result, error) {
	start := time.Now()
	res, err := a.change(ctx, name, old, next, from)
	if err == nil {
		return res, nil
	}
	err = a.fail(ctx, from, printable(name), typed(err))
	return nil, errors.Join(err, a.waitOut(ctx, start))
}

func (a *Authn) change(ctx context.Context, name string, old, next secret.String, from policy.From) (*Result, error) {
	if err := checkTyped(name, old); err != nil {
		return nil, err
	}
	if err := checkTyped(name, next); err != nil || next == old {
		return nil, unasked(reason.PasswordRefused, "the new password is empty, too long, not UTF-8, or the old one")
	}
	acc, err := a.accountOf(ctx, name, from)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	if acc.local != nil || acc.unknown || acc.outside { // no KDC's: only whoever knows the old one is told so
		if _, err := a.counted(ctx, acc, old); err != nil {
			return nil, err
		}
		return nil, reason.Refuse(reason.PasswordRefused, "the password of a local user: idp user passwd")
	}
	leave, err := a.asking.enter(acc.counted, acc.network)
	if err != nil {
		return nil, err
	}
	defer leave()
	guess, err := a.limiter.take(ctx, acc, old)
	if err != nil {
		return nil, err
	}
	err = a.expired(ctx, acc, old)
	if err == nil {
		err = a.passwords.ChangePassword(ctx, acc.name, old, next)
	}
	if settled := guess.settle(ctx, err); settled != nil || err != nil {
		return nil, errors.Join(guess.told(err), settled)
	}
	entry := store.Entry{
		Event: audit.PasswordChanged, Actor: printable(name), Name: printable(name), ClientID: from.ClientID,
		Address: from.Address.String(), RequestID: from.RequestID, Detail: "at the KDC of " + acc.name.Realm,
	}
	if err := a.Store.Audit(ctx, entry); err != nil {
		return nil, fmt.Errorf("audit of a new password: %w", err)
	}
	login, err := a.passwords.CheckPassword(ctx, acc.name, next)
	if err != nil {
		return nil, err
	}
	res, err := a.known(ctx, login, policy.AMRPassword)
	if err == nil {
		res.Account = acc.canonical
	}
	return res, err
}

// expired returns nil when the old password is right and has expired: no other is
// changed here, for whoever has got hold of one must not be able to take the
// account over with it.
func (a *Authn) expired(ctx context.Context, acc account, old secret.String) error {
	_, err := a.passwords.CheckPassword(ctx, acc.name, old)
	switch {
	case err == nil:
		return reason.Refuse(reason.PasswordRefused, "the old password has not expired: it is changed where passwords of the company are changed")
	case reason.Of(err) == reason.PasswordExpired:
		return nil
	}
	return err
}
