package user

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/store"
	"idp/internal/user"
)

// account is a realm's account, or a login at an upstream, as an administrator types it.
type account struct{ realm, sid, principal, upstream, subject string }

func (a *account) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&a.realm, "realm", "", "the account's `REALM`; default: the first of kerberos.realms")
	f.StringVar(&a.sid, "sid", "", "its `SID`, where the realm's tickets carry one (Active Directory, Samba)")
	f.StringVar(&a.principal, "principal", "", "else the `NAME` of its principal, without the realm")
	f.StringVar(&a.upstream, "upstream", "", "the `ID` of one of upstreams, for a login there")
	f.StringVar(&a.subject, "subject", "", "and the `SUB` that it knows the person by")
	cmd.MarkFlagsMutuallyExclusive("sid", "principal", "upstream")
	cmd.MarkFlagsMutuallyExclusive("realm", "upstream")
	cmd.MarkFlagsOneRequired("sid", "principal", "upstream")
	cmd.MarkFlagsRequiredTogether("upstream", "subject")
}

// A SID as text (MS-DTYP §2.4.2.1): revision, authority, and its numbers, at most
// 15. One of a domain's account has exactly five: 21, three of the domain, its own.
var (
	anySID    = regexp.MustCompile(`^S-1-(0|[1-9][0-9]{0,14})(-(0|[1-9][0-9]{0,9})){1,15}$`)
	domainSID = regexp.MustCompile(`^S-1-5-21(-[0-9]+){4}$`)
)

func isSID(s string) bool {
	return anySID.MatchString(s) && (!strings.HasPrefix(s, "S-1-5-21-") || domainSID.MatchString(s))
}

// spoken is an identity as people say it.
func spoken(id store.Identity) string {
	if issuer, ok := strings.CutPrefix(id.Source, store.SourceUpstream); ok {
		return "the login " + command.Plain(id.Key) + " at " + issuer
	}
	realm := strings.TrimPrefix(id.Source, "kerberos:")
	if sid, ok := strings.CutPrefix(id.Key, "sid:"); ok {
		return "the account with SID " + sid + " of " + realm
	}
	return "the principal " + strings.TrimPrefix(id.Key, "name:") + "@" + realm
}

// identity is what the account is found by at a login.
func (a *account) identity(o opened) (store.Identity, error) {
	if a.upstream != "" {
		return a.atUpstream(o)
	}
	realms := o.Config.Kerberos.Realms
	if a.realm == "" && len(realms) > 0 {
		a.realm = realms[0].Name
	}
	if a.sid != "" && !isSID(a.sid) {
		return store.Identity{}, fmt.Errorf("--sid %q is no SID: S-1-5-21-…, as the log line of the refused login has it", a.sid)
	}
	if strings.ContainsAny(a.principal, `@/\`) {
		return store.Identity{}, fmt.Errorf("--principal %q: only the name, the realm goes into --realm", a.principal)
	}
	for _, r := range realms {
		if r.Name == a.realm {
			name := user.Realm{Name: r.Name, Case: r.Case}.Fold(a.principal, false)
			return user.Identity(a.realm, a.sid, name), nil
		}
	}
	return store.Identity{}, fmt.Errorf("the realm %q is not in kerberos.realms", a.realm)
}

// atUpstream: sub is compared to the letter (OIDC Core §2).
func (a *account) atUpstream(o opened) (store.Identity, error) {
	if a.subject == "" || strings.ContainsFunc(a.subject, func(r rune) bool { return r < ' ' || r > '~' }) {
		return store.Identity{}, errors.New("--subject: want the sub that the upstream knows the person by, as the log line of the refused login has it")
	}
	for _, u := range o.Config.Upstreams {
		if u.ID == a.upstream {
			return user.UpstreamIdentity(u.Issuer, a.subject), nil
		}
	}
	return store.Identity{}, fmt.Errorf("no upstream has the id %q", a.upstream)
}
