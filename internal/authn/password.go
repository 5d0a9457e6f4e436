package authn

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"idp/internal/kerberos"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/user"
)

// checkTimeout bounds one check of a password, the wait for a free guess included.
const checkTimeout = 15 * time.Second

// account is who can check a typed name's password.
type account struct {
	counted string        // the canonical name guesses are counted under
	local   *store.User   // a local user, or nil
	name    kerberos.Name // else the principal to ask the KDC for
	unknown bool          // nobody can check it
	why     string        // nobody can
	outside bool          // the KDC is not asked for who comes from outside
}

// Password checks a name and a password from the form or the browser's prompt.
// The error is a *reason.Error when they were refused; it comes no earlier than
// half a second after the call.
func (a *Authn) Password(ctx context.Context, name string, password secret.String, from From) (*Result, error) {
	start := time.Now()
	res, err := a.password(ctx, name, password, from)
	if err == nil {
		return res, nil
	}
	err = a.fail(ctx, from, printable(name), typed(err))
	return nil, errors.Join(err, wait(ctx, failureFloor-time.Since(start)))
}

func (a *Authn) password(ctx context.Context, name string, password secret.String, from From) (*Result, error) {
	if err := checkTyped(name, password); err != nil {
		return nil, err
	}
	acc, err := a.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	if acc.local == nil && !acc.unknown && !a.Section.PasswordFromOutside && !Inside(a.Section.OfferTo, from) {
		// The KDC is not asked. To the visitor it is a wrong password, counted as
		// one, but apart: outsiders use up no guess of those inside.
		acc.outside, acc.counted, acc.why = true, "outside:"+acc.counted, whyOutside(from)
	}
	return a.once(ctx, acc, password)
}

// once checks the same password of the same account one time for all who bring
// it at this moment: a browser that restores ten tabs sends it ten times.
func (a *Authn) once(ctx context.Context, acc account, password secret.String) (*Result, error) {
	key := string(a.limiter.hash(acc.counted, password))
	v, err, _ := a.running.Do(key, func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
		defer cancel()
		return a.counted(ctx, acc, password)
	})
	res, _ := v.(*Result)
	return res, err
}

// counted checks a password as one of the name's guesses.
func (a *Authn) counted(ctx context.Context, acc account, password secret.String) (*Result, error) {
	guess, err := a.limiter.take(ctx, acc.counted, password)
	if err != nil {
		return nil, err
	}
	res, err := a.check(ctx, acc, password)
	if settled := guess.settle(ctx, err); settled != nil {
		return nil, settled
	}
	return res, err
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
	login, err := a.passwords.CheckPassword(ctx, acc.name, password)
	if err != nil {
		return nil, err
	}
	return a.known(ctx, login, AMRPassword)
}

func (a *Authn) checkLocal(ctx context.Context, u *store.User, password secret.String) (*Result, error) {
	hash := ""
	if u != nil {
		hash = u.PasswordHash
	}
	ok, rehash, err := a.hasher.Verify(ctx, hash, password)
	switch {
	case err != nil:
		return nil, err
	case u == nil:
		return nil, &reason.Error{Reason: reason.ClientUnknown}
	case !ok:
		return nil, &reason.Error{Reason: reason.BadPassword}
	case u.Disabled:
		return nil, user.ErrDisabled
	}
	if rehash {
		a.rehash(ctx, u, password)
	}
	return &Result{User: u, AMR: []string{AMRPassword}, ACR: ACROneFactor, AuthTime: a.Now()}, nil
}

// rehash replaces a hash with yesterday's parameters. It is the next login's
// business if it fails; a password that was changed meanwhile stays changed.
func (a *Authn) rehash(ctx context.Context, u *store.User, password secret.String) {
	hash, err := a.hasher.Hash(ctx, password)
	if err == nil {
		err = a.Store.RehashPassword(ctx, u.ID, u.PasswordHash, hash)
	}
	if err != nil {
		a.Log.Warn("a password was not hashed anew", "user", u.Name, "err", err)
	}
}

// resolve decides who checks the password: a name with a trusted realm → its
// KDC; a local user of exactly that name → its hash; a bare name → the default
// realm. A name with any other realm is nobody's.
func (a *Authn) resolve(ctx context.Context, name string) (account, error) {
	if base, realm, ok := a.splitRealm(name); ok {
		return a.atKDC(base, realm), nil
	}
	u, err := a.Store.UserByName(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return account{}, err
	}
	if u != nil && u.PasswordHash != "" {
		return account{counted: "local:" + u.Name, local: u}, nil
	}
	if a.passwords == nil || len(a.Section.Realms) == 0 || strings.ContainsAny(name, `@\`) {
		return account{counted: "local:" + strings.ToLower(name), unknown: true, why: a.whyUnknown(name)}, nil
	}
	return a.atKDC(name, a.Section.Realms[0].Name), nil
}

// whyOutside tells the log why a client counts as outside.
func whyOutside(from From) string {
	if from.Outside {
		return "kerberos.password_from_outside is off, and the request was forwarded by a peer that is not in trusted_proxies, or by a trusted proxy that did not say for whom"
	}
	return "kerberos.password_from_outside is off, and " + from.Address.String() + " is not in kerberos.offer_to"
}

// whyUnknown tells the log why a name is asked of nobody.
func (a *Authn) whyUnknown(name string) string {
	switch {
	case a.passwords == nil:
		return "no local user of that name, and no kerberos section"
	case strings.Contains(name, `\`):
		return "no local user of that name; DOMAIN\\name is not understood, only name and name@REALM"
	case strings.Contains(name, "@"):
		return "no local user of that name, and its realm is not in kerberos.realms"
	default:
		return "no local user of that name"
	}
}

// splitRealm splits alice@REALM where REALM is trusted, however it is spelled.
func (a *Authn) splitRealm(name string) (base, realm string, ok bool) {
	at := strings.LastIndexByte(name, '@')
	if at <= 0 || a.passwords == nil {
		return "", "", false
	}
	for _, r := range a.Section.Realms {
		if strings.EqualFold(r.Name, name[at+1:]) {
			return name[:at], r.Name, true
		}
	}
	return "", "", false
}

// atKDC names a principal and how its guesses are counted: folded, so that no
// spelling gets guesses of its own.
func (a *Authn) atKDC(base, realm string) account {
	return account{counted: "kdc:" + realm + ":" + strings.ToLower(base), name: kerberos.Name{Name: base, Realm: realm}}
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
// the wrong field, so what no user could be called is not kept.
func printable(name string) string {
	if user.CheckName(name) != nil {
		return ""
	}
	return name
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
