package authn

import (
	"errors"

	"idp/internal/reason"
	"idp/internal/user"
)

// typed turns the refusals of package user into a *reason.Error, as those of
// kerberos are; any other error is trouble of our own and stays as it is.
func typed(err error) error {
	var refused *reason.Error
	if errors.As(err, &refused) {
		return err
	}
	for _, m := range []struct {
		is   error
		code reason.Code
	}{
		{user.ErrNameTaken, reason.NameTaken},
		{user.ErrNotAPerson, reason.NotAPerson},
		{user.ErrName, reason.NotAPerson},
		{user.ErrRealm, reason.Realm},
		{user.ErrNoSID, reason.NoPAC},
		{user.ErrDisabled, reason.UserDisabled},
		{user.ErrNotInvited, reason.NotInvited},
	} {
		if errors.Is(err, m.is) {
			return &reason.Error{Reason: m.code, Err: err}
		}
	}
	return err
}
