package authn

import (
	"errors"
	"strings"

	"idp/internal/kerberos"
	"idp/internal/user"
)

// Reason is a stable code that says why a credential was refused. Those of
// package kerberos are among them; these are the ones decided here.
type Reason = kerberos.Reason

// Reasons decided after, or instead of, Kerberos.
const (
	ReasonNoKeytab              = kerberos.ReasonNoKeytab
	ReasonNameTaken      Reason = "NAME_TAKEN"
	ReasonUserDisabled   Reason = "USER_DISABLED"
	ReasonTooManyGuesses Reason = "TOO_MANY_GUESSES"
	ReasonFromOutside    Reason = "PASSWORD_FROM_OUTSIDE"
	ReasonMalformedInput Reason = "MALFORMED_CREDENTIAL"
)

// Error is a refused credential. Detail and Err are for the log, never for a page.
type Error struct {
	Reason Reason
	Name   string // as typed, or the ticket's principal
	Detail string
	Err    error
}

func (e *Error) Error() string {
	text := "login refused: " + string(e.Reason)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// typed turns the errors of kerberos and user into an *Error; any other error
// is trouble of our own and stays as it is.
func typed(err error) error {
	var k *kerberos.Error
	if errors.As(err, &k) {
		detail := k.Detail
		if k.Err != nil { // what the network or the file said; kerberos keeps secrets out of it
			detail = strings.TrimPrefix(detail+": "+k.Err.Error(), ": ")
		}
		return &Error{Reason: k.Reason, Detail: detail, Err: err}
	}
	for _, m := range []struct {
		is     error
		reason Reason
	}{
		{user.ErrNameTaken, ReasonNameTaken},
		{user.ErrNotAPerson, kerberos.ReasonNotAPerson},
		{user.ErrName, kerberos.ReasonNotAPerson},
		{user.ErrRealm, kerberos.ReasonRealm},
		{user.ErrDisabled, ReasonUserDisabled},
	} {
		if errors.Is(err, m.is) {
			return &Error{Reason: m.reason, Detail: err.Error(), Err: err}
		}
	}
	return err
}
