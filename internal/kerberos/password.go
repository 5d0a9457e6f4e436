package kerberos

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jcmturner/gokrb5/v8/iana/nametype"

	"idp/internal/kerberos/kdc"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
	"idp/internal/secret"
)

const (
	maxPassword  = 1024             // bytes
	maxSPNs      = 4                // of ours, asked for before giving up
	checkTimeout = 10 * time.Second // for a whole talk with KDCs without a deadline
)

// CheckPassword asks the realm's KDC whether the password is the person's, and
// makes the KDC prove that it is the realm's by a ticket for one of our own
// keytab's services. Without that proof, whoever is on the path to the KDC could
// log in as anybody. Without a deadline in ctx it takes at most 10 s.
//
// A refusal is a *reason.Error. PASSWORD_EXPIRED means that the password is right
// and must be changed; ACCOUNT_LOCKED, ACCOUNT_DISABLED and the like may come before
// the password was looked at (MIT) or only when it was right (Active Directory,
// Samba), so nobody may be told which it was. Every call that reaches the KDC with
// a wrong password counts there against the account; limiting calls is the
// caller's part.
func (a *Acceptor) CheckPassword(ctx context.Context, n Name, password secret.String) (login *Login, err error) {
	defer recovered(&err)
	if err := a.checkCredential(n, password); err != nil {
		return nil, err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	tgt, err := a.logInAt(ctx, n, password)
	if err != nil {
		return nil, err
	}
	return a.proveKDC(ctx, tgt)
}

// ChangePassword sets a new password at the realm's kpasswd server, RFC 3244,
// proved by the old one, which may have expired. A refusal is a *reason.Error:
// PASSWORD_REFUSED when the old one was right and the new one was not taken.
// Limiting calls is the caller's part, as of CheckPassword.
func (a *Acceptor) ChangePassword(ctx context.Context, n Name, old, next secret.String) (err error) {
	defer recovered(&err)
	if err := a.checkCredential(n, old); err != nil {
		return err
	}
	if !usablePassword(next) {
		return reason.Refuse(reason.PasswordRefused, "empty, too long, not UTF-8, or holds a NUL")
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	err = a.kdcs.ChangePassword(ctx, n.principal(), old, next)
	if lower, ok := a.inSmallLetters(n, err); ok {
		return a.kdcs.ChangePassword(ctx, lower.principal(), old, next)
	}
	return err
}

// AccountOf tells under which name the realm's KDC keeps an account, whichever of
// its names n is, without a guess at its password. A refusal is a *reason.Error.
func (a *Acceptor) AccountOf(ctx context.Context, n Name) (name string, err error) {
	defer recovered(&err)
	if err := a.checkName(n); err != nil {
		return "", err
	}
	ctx, cancel := bounded(ctx)
	defer cancel()
	name, err = a.kdcs.AccountOf(ctx, n.principal())
	if lower, ok := a.inSmallLetters(n, err); ok {
		return a.kdcs.AccountOf(ctx, lower.principal())
	}
	return name, err
}

// recovered keeps a mistake in the library's messages from ending the process.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = reason.Refuse(reason.KDCError, fmt.Sprintf("panic: %v", p))
	}
}

func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, checkTimeout)
}

// inSmallLetters is the name to try after one with capitals that the KDC does not
// know, unless the realm's names differ by case: Active Directory knows both.
func (a *Acceptor) inSmallLetters(n Name, err error) (Name, bool) {
	lower := Name{strings.ToLower(n.Name), n.Realm, n.Enterprise}
	return lower, reason.Of(err) == reason.ClientUnknown && lower != n && a.realm(n.Realm).Case != caseExact
}

// logInAt gets the person's ticket-granting ticket. A KDC that calls the password
// expired is asked whether it was right.
func (a *Acceptor) logInAt(ctx context.Context, n Name, password secret.String) (*kdc.Credentials, error) {
	tgt, err := a.kdcs.Login(ctx, n.principal(), password)
	if lower, ok := a.inSmallLetters(n, err); ok {
		n = lower
		tgt, err = a.kdcs.Login(ctx, n.principal(), password)
	}
	if reason.Of(err) == reason.PasswordExpired {
		if wrong := a.kdcs.VerifyExpired(ctx, n.principal(), password); wrong != nil {
			return nil, wrong
		}
	}
	return tgt, err
}

func (n Name) principal() wire.Principal {
	p := wire.Principal{Components: []string{n.Name}, Realm: n.Realm, NameType: nametype.KRB_NT_PRINCIPAL}
	if n.Enterprise {
		p.NameType = nametype.KRB_NT_ENTERPRISE
	}
	return p
}

// checkCredential refuses what no KDC needs to see.
func (a *Acceptor) checkCredential(n Name, password secret.String) error {
	if err := a.checkName(n); err != nil {
		return err
	}
	if !usablePassword(password) {
		return reason.Refuse(reason.BadPassword, "empty, too long, not UTF-8, or holds a NUL")
	}
	return a.Ready()
}

func (a *Acceptor) checkName(n Name) error {
	forbidden := `/@\`
	if n.Enterprise {
		forbidden = `/\`
	}
	switch {
	case wire.CheckName(n.Name) != nil || strings.ContainsAny(n.Name, forbidden):
		return reason.Refuse(reason.NotAPerson, fmt.Sprintf("the name %q", reason.Short(n.Name)))
	case a.realm(n.Realm) == nil:
		return reason.Refuse(reason.Realm, reason.Short(n.Realm))
	}
	return nil
}

func usablePassword(p secret.String) bool {
	s := p.Reveal()
	return s != "" && len(s) <= maxPassword && utf8.ValidString(s) && !strings.Contains(s, "\x00")
}
