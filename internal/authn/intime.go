package authn

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
)

// stopped is how long a check that was told to stop is waited for: what it says of why it
// had not come to an end is the true cause.
const stopped = 500 * time.Millisecond

// PasswordInTime is Password for whoever is not waited for: the error comes within limit,
// and half a second more where a KDC counts the guess already. Such a check is not broken
// off, and the audit log has what comes of it; its place among all those that are under
// way, which are bounded, is its own until then.
func (a *Authn) PasswordInTime(ctx context.Context, limit time.Duration, name string, password secret.String, from policy.From) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	type outcome struct {
		res *Result
		err error
	}
	done, gone := make(chan outcome), make(chan struct{})
	defer close(gone)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil { // nobody else would, here
				o = outcome{err: fmt.Errorf("authn: panic: %v\n%s", p, debug.Stack())}
			}
			select {
			case done <- o:
			case <-gone: // a refusal is in the audit log
				if o.err != nil && reason.Of(o.err) == "" && !errors.Is(o.err, ctx.Err()) {
					a.Log.ErrorContext(context.WithoutCancel(ctx), "the check of a password failed when nobody waited for it any more", "request_id", from.RequestID, "err", o.err)
				}
			}
		}()
		o.res, o.err = a.Password(ctx, name, password, from)
	}()
	late := time.NewTimer(limit + stopped)
	defer late.Stop()
	select {
	case o := <-done:
		if o.err != nil && reason.Of(o.err) == "" && ctx.Err() != nil {
			return nil, tooLate(o.err)
		}
		return o.res, o.err
	case <-late.C:
		return nil, tooLate(nil)
	}
}

// tooLate is the refusal of a password that nobody has said anything about.
func tooLate(cause error) error {
	return &reason.Error{Reason: reason.Busy, Detail: "the check of the password has not come to an end in time; the audit log has what a KDC says yet", Err: cause}
}
