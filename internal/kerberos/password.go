package kerberos

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jcmturner/gokrb5/v8/iana/nametype"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
	"idp/internal/secret"
)

const (
	maxPassword  = 1024             // bytes
	maxSPNs      = 4                // of ours, asked for before giving up
	checkTimeout = 10 * time.Second // for a whole password check without a deadline
)

// CheckPassword asks the realm's KDC whether the password is the person's, and
// makes the KDC prove that it is the realm's by a ticket for one of our own
// keytab's services. Without that proof, whoever is on the path to the KDC could
// log in as anybody. Without a deadline in ctx it takes at most 10 s.
//
// A refusal is a *reason.Error. PASSWORD_EXPIRED, ACCOUNT_LOCKED and ACCOUNT_DISABLED
// say nothing about the password: KDCs check them first. Every call that reaches
// the KDC with a wrong password counts there against the account; limiting calls
// is the caller's part.
func (a *Acceptor) CheckPassword(ctx context.Context, n Name, password secret.String) (login *Login, err error) {
	defer func() {
		if p := recover(); p != nil {
			login, err = nil, reason.Refuse(reason.KDCError, fmt.Sprintf("panic: %v", p))
		}
	}()
	if err := a.checkCredential(n, password.Reveal()); err != nil {
		return nil, err
	}
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, checkTimeout)
		defer cancel()
	}
	client := wire.Principal{Components: []string{n.Name}, Realm: n.Realm, NameType: nametype.KRB_NT_PRINCIPAL}
	tgt, err := a.kdcs.Login(ctx, client, password)
	if err != nil {
		return nil, err
	}
	return a.proveKDC(ctx, tgt)
}

// checkCredential refuses what no KDC needs to see.
func (a *Acceptor) checkCredential(n Name, password string) error {
	switch {
	case wire.CheckName(n.Name) != nil || strings.ContainsAny(n.Name, `/@\`):
		return reason.Refuse(reason.NotAPerson, fmt.Sprintf("the name %q", reason.Short(n.Name)))
	case a.realm(n.Realm) == nil:
		return reason.Refuse(reason.Realm, reason.Short(n.Realm))
	case password == "" || len(password) > maxPassword || !utf8.ValidString(password) || strings.Contains(password, "\x00"):
		return reason.Refuse(reason.BadPassword, "empty, too long, not UTF-8, or holds a NUL")
	}
	return a.Ready()
}
