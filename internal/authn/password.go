package authn

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/user"
)

// checkTimeout bounds one check of a password, the wait for a free guess included.
const checkTimeout = 15 * time.Second

// Password checks a name and a password from the form or the browser's prompt.
// The error is a *reason.Error when they were refused; it comes a
// multiple of half a second after the call.
func (a *Authn) Password(ctx context.Context, name string, password secret.String, from policy.From) (*Result, error) {
	start := time.Now()
	res, err := a.password(ctx, name, password, from)
	if err == nil {
		mine := *res // several callers may hold the result of one check
		return &mine, nil
	}
	err = a.fail(ctx, from, printable(name), typed(err))
	return nil, errors.Join(err, a.waitOut(ctx, start))
}

func (a *Authn) password(ctx context.Context, name string, password secret.String, from policy.From) (*Result, error) {
	if err := checkTyped(name, password); err != nil {
		return nil, err
	}
	acc, err := a.accountOf(ctx, name, from)
	if err != nil {
		return nil, err
	}
	return a.once(ctx, acc, password)
}

// once checks the same password of the same account one time for all who bring
// it at this moment: a browser that restores ten tabs sends it ten times. When all of
// them have gone away it is not begun.
func (a *Authn) once(ctx context.Context, acc account, password secret.String) (*Result, error) {
	key := string(a.limiter.hash(acc.asked(), password)) + acc.class()
	return a.running.do(ctx, key, func(ctx context.Context) (*Result, error) {
		ctx, cancel := context.WithTimeout(ctx, checkTimeout)
		defer cancel()
		return a.counted(ctx, acc, password)
	})
}

// counted checks a password as one of the name's guesses, when it is its turn.
func (a *Authn) counted(ctx context.Context, acc account, password secret.String) (*Result, error) {
	leave, err := a.crowdOf(acc).enter(acc.counted, acc.network)
	if err != nil {
		return nil, err
	}
	defer leave()
	guess, err := a.limiter.take(ctx, acc, password)
	if err != nil {
		return nil, err
	}
	res, err := a.check(ctx, acc, password)
	if settled := guess.settle(ctx, err); settled != nil {
		return nil, settled
	}
	if res != nil {
		res.Account = acc.canonical
	}
	return res, guess.told(err)
}

// crowdOf is whom an account's password waits with.
func (a *Authn) crowdOf(acc account) *crowd {
	if acc.local != nil || acc.unknown {
		return &a.hashing
	}
	return &a.asking
}

// check asks whoever can tell.
func (a *Authn) check(ctx context.Context, acc account, password secret.String) (*Result, error) {
	if acc.outside {
		return nil, reason.Refuse(reason.FromOutside, acc.why)
	}
	if acc.unknown {
		_, err := a.checkLocal(ctx, nil, password) // takes as long as for somebody we know
		var refused *reason.Error
		if errors.As(err, &refused) {
			refused.Detail = acc.why
		}
		return nil, err
	}
	if acc.local != nil {
		return a.checkLocal(ctx, acc.local, password)
	}
	ctx, cancel, err := committed(ctx)
	if err != nil {
		return nil, err
	}
	defer cancel()
	login, err := a.passwords.CheckPassword(ctx, acc.name, password)
	if err != nil {
		return nil, err
	}
	return a.known(ctx, login, policy.AMRPassword)
}

// committed is a context for what must not be broken off, for the KDC counts it: who
// sends guesses and goes away would have them for nothing here.
func committed(ctx context.Context) (context.Context, context.CancelFunc, error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(checkTimeout)
	}
	ctx, cancel := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	return ctx, cancel, nil
}

func (a *Authn) checkLocal(ctx context.Context, u *store.User, password secret.String) (*Result, error) {
	hash := ""
	if u != nil {
		hash = u.PasswordHash
	}
	start := time.Now()
	ok, rehash, err := a.hasher.Verify(ctx, hash, password)
	a.hashing.checked(start)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, reason.Refuse(reason.Busy, "no processor had time for it within "+checkTimeout.String())
	case err != nil:
		return nil, err
	case u == nil:
		return nil, &reason.Error{Reason: reason.ClientUnknown}
	case !ok:
		return nil, &reason.Error{Reason: reason.BadPassword}
	case u.Disabled:
		return nil, user.ErrDisabled
	}
	hash = u.PasswordHash
	if rehash {
		hash = a.rehash(ctx, u, password)
	}
	return &Result{User: u, AMR: []string{policy.AMRPassword}, AuthTime: a.Now(), PasswordHash: hash}, nil
}

// rehash replaces a hash with yesterday's parameters and returns the one that is the
// user's now. It is the next login's business if it fails; a password that was
// changed meanwhile stays changed.
func (a *Authn) rehash(ctx context.Context, u *store.User, password secret.String) string {
	hash, err := a.hasher.Rehash(ctx, password)
	if err == nil {
		err = a.Store.RehashPassword(ctx, u.ID, u.PasswordHash, hash)
	}
	if err != nil {
		a.Log.Warn("a password was not hashed anew", "user", u.Name, "err", err)
		return u.PasswordHash
	}
	return hash
}

func checkTyped(name string, password secret.String) error {
	bad := func(detail string) error { return reason.Refuse(reason.MalformedInput, detail) }
	switch {
	case name == "" || password == "":
		return bad("empty name or password")
	case len(name) > user.MaxName || len(password) > user.MaxPassword:
		return bad("name or password too long")
	case !utf8.ValidString(name) || !utf8.ValidString(password.Reveal()):
		return bad("name or password is not UTF-8")
	case user.CheckName(strings.ReplaceAll(name, `\`, "")) != nil:
		return bad("a character that no name has")
	}
	return nil
}

// printable bounds a typed name for log and audit: people type passwords into
// the wrong field, so what no user could be called is not kept. A name of Windows
// (EXAMPLE\alice) is one.
func printable(name string) string {
	domain, rest, short := strings.Cut(name, `\`)
	if short && user.CheckName(domain) == nil && user.CheckName(rest) == nil && len(name) <= user.MaxName || user.CheckName(name) == nil {
		return name
	}
	return ""
}

func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
