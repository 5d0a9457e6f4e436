package realm

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"idp/internal/doctor/look"
	"idp/internal/doctor/report"
	"idp/internal/kerberos"
	"idp/internal/reason"
)

// KeyVersion asks: does what the KDC seals open with the keytab? Nothing but a ticket
// tells: the two have no other way to agree, and a keytab falls behind whenever
// somebody sets the account's password.
func (e *Exam) KeyVersion(ctx context.Context) (lines []report.Line) {
	if e.Kerberos == nil {
		return nil
	}
	if e.nothingRead() {
		return report.Failed(seeKeytab, "no key to open tickets with"+noPasswords+", for the keytab is what shows that a KDC is genuine")
	}
	for _, t := range e.tickets() {
		lines = append(lines, e.stale(t)...)
		if t.client == "" {
			lines = append(lines, e.nobody(t)...)
			continue
		}
		for _, host := range e.asked(ctx) {
			lines = append(lines, e.judgeTicket(t, host, t.byHost[host])...)
		}
	}
	return lines
}

// exportAgain makes no new key: that would be one more that people have no ticket of.
const exportAgain = "idp keytab plan --refresh prints the commands that add the KDC's key to the keytab and keep the old one, so that tickets that are out go on working"

// noPasswords: a KDC that says a password is right must prove that it knows our
// key, too (package kerberos); with another key in the keytab it cannot.
const noPasswords = "; passwords cannot be checked either"

const seeKeytab = "see the line about keytab"

// useAES is what lets an account have AES keys.
func useAES(principal string) string {
	return "let the account use AES (Active Directory: Set-ADUser ACCOUNT -KerberosEncryptionType AES128,AES256; " +
		"MIT: kadmin.local cpw -randkey -keepold -e aes256-cts-hmac-sha1-96:normal,aes128-cts-hmac-sha1-96:normal " + principal + "), then idp keytab plan --refresh"
}

const seeClock = "set the clock that is wrong: the line about clock says by how much it is"

// stale are keys of the keytab that the KDC does not take for its own.
func (e *Exam) stale(t *tickets) (lines []report.Line) {
	if t.client != "" {
		return nil // the tickets show it, with the version that the KDC has
	}
	said := map[string]bool{}
	for _, tried := range t.tried {
		if reason.Of(tried.Err) == reason.BadPassword && !said[tried.Principal] {
			said[tried.Principal] = true // of its newest key: an older one is tried after it
			lines = append(lines, report.Failed(exportAgain, "the KDC of %s does not take the keytab's key of %s (kvno %d): it has another one, mostly a newer one, and tickets sealed with that do not open"+noPasswords,
				t.realm, tried.Principal, tried.KVNO)...)
		}
	}
	return lines
}

// nobody could log in to ask.
func (e *Exam) nobody(t *tickets) []report.Line {
	name := "HTTP/" + look.Plain(e.Issuer.Hostname())
	file := "http.keytab"
	if len(e.Kerberos.Keytabs) > 0 {
		file = e.Kerberos.Keytabs[0]
	}
	byHand := fmt.Sprintf("kinit YOU@%s && kvno %s@%s, and compare with klist -kte %s", t.realm, name, t.realm, file)
	for _, tried := range t.tried {
		switch reason.Of(tried.Err) {
		case reason.BadPassword:
			return nil // stale says it
		case reason.ClockSkew:
			return report.Warning(seeClock, "%s: the KDC finds our clock wrong: keys cannot be compared", t.realm)
		case reason.Etype:
			return report.Failed(useAES(tried.Principal),
				"the KDC and the keytab have no encryption type in common for %s: mostly the account has only RC4 keys at the KDC, and the keytab has AES", tried.Principal)
		}
	}
	var said []string
	for _, tried := range t.tried {
		said = append(said, explain(tried.Err))
	}
	return report.Warning(byHand, "%s: the KDC logs in no name of the keytab, so key versions cannot be compared (Active Directory logs in accounts only); it says: %s", t.realm, strings.Join(said, "; "))
}

func (e *Exam) judgeTicket(t *tickets, host string, o *ownTicket) []report.Line {
	name := "HTTP/" + host + "@" + t.realm
	if o.refused != nil {
		return e.refusedTicket(t, host, name, o.refused)
	}
	what := fmt.Sprintf("%s: the KDC's ticket (kvno %d, %s)", name, o.KVNO, shortEtype(o.Etype))
	again, besides := exportAgain, noPasswords
	if slices.Contains(e.Sites, host) { // whose key passwords do not need
		again, besides = strings.Replace(exportAgain, "--refresh", "--refresh --also "+host, 1), ""
	}
	line := func(r []report.Line) []report.Line {
		r[0].Details = map[string]any{"principal": name, "kvno": o.KVNO, "etype": o.Etype, "asked_as": t.client, "opened_by": o.OpenedBy}
		return r
	}
	switch {
	case o.Err == nil && o.OpenedBy != name:
		return line(report.OK("%s opens with the key of %s", what, o.OpenedBy))
	case o.Err == nil:
		return line(report.OK("%s opens with the keytab", what))
	case reason.Of(o.Err) == reason.Etype:
		return line(report.Failed(useAES(name),
			"%s is sealed with %s, which is not accepted", name, shortEtype(o.Etype)))
	case reason.Of(o.Err) == reason.KVNO:
		return line(report.Failed(again, "%s: the KDC has kvno %d, the keytab %s: its tickets do not open"+besides, name, o.KVNO, e.versions(name)))
	case reason.Of(o.Err) == reason.NoKey:
		return line(report.Failed("export all encryption types; "+again, "%s: the keytab has no %s key, and the KDC seals with that", name, shortEtype(o.Etype)))
	case reason.Of(o.Err) == reason.WrongSPN:
		return line(report.Failed("setspn -Q HTTP/"+host+" names the account that has it; move the name to ours (setspn -D, then setspn -S HTTP/"+host+" ACCOUNT), or export its key as well: idp keytab plan",
			"%s opens with no key of the keytab: the name belongs to another account", what))
	default:
		return line(report.Failed(again, "%s does not open with the keytab's key of that version: the account's password was set again, or the keytab is another realm's"+besides, what))
	}
}

func (e *Exam) refusedTicket(t *tickets, host, name string, err error) []report.Line {
	own := host == look.Plain(e.Issuer.Hostname())
	switch code := kerberos.KDCCode(err); {
	case code == kdcNotUnique:
		return report.Failed("setspn -X lists the accounts that share a name; take it from all but one: setspn -D HTTP/"+host+" OTHER", "%s: two accounts have this name, so the KDC gives nobody a ticket for it", name)
	case code == kdcUnknown && own && e.otherOpens(t, host):
		return report.Warning("setspn -S HTTP/"+host+" ACCOUNT (MIT: addprinc -randkey HTTP/"+host+"), then export the keytab again: idp keytab plan",
			"the KDC does not know %s: clients that do not follow CNAMEs get no ticket", name)
	case code == kdcUnknown:
		also := ""
		if !own {
			also = " --also " + host
		}
		return report.Failed("setspn -S HTTP/"+host+" ACCOUNT (MIT: addprinc -randkey HTTP/"+host+"), then export the keytab again: idp keytab plan"+also+"; where setspn -Q finds it twice: setspn -X",
			"the KDC does not know %s: browsers get no ticket and send NTLM or nothing", name)
	case reason.Of(err) == reason.ClockSkew:
		return report.Warning(seeClock, "%s: the KDC finds our clock wrong: keys cannot be compared", name)
	default:
		return report.Warning("docs/kerberos-errors.md; the KDC's own log says more", "%s: no ticket: %s", name, explain(err))
	}
}

// otherOpens reports whether a ticket for another name does.
func (e *Exam) otherOpens(t *tickets, host string) bool {
	for other, o := range t.byHost {
		if other != host && o.refused == nil && o.Err == nil {
			return true
		}
	}
	return false
}

// versions are those the keytabs have of a principal.
func (e *Exam) versions(name string) string {
	status, _ := e.keytabs()
	var out []string
	for _, f := range status.Keytabs {
		for _, p := range principals(f.Keys) {
			if p.Name != name {
				continue
			}
			for _, v := range p.Versions {
				out = append(out, fmt.Sprint(v))
			}
		}
	}
	if len(out) == 0 {
		return "another"
	}
	return strings.Join(out, ", ")
}

// explain says what a refusal was for an administrator.
func explain(err error) string { return reason.Short(err.Error()) }
