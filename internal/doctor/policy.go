package doctor

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"idp/internal/doctor/report"
	"idp/internal/kerberos"
)

// usualLockout is after how many wrong passwords directories commonly lock an
// account; Microsoft's baseline says 10, many companies 5.
const usualLockout = 5

// realms: which are trusted.
func (e *exam) realms(context.Context) []report.Line {
	if e.Kerberos == nil {
		return nil
	}
	var lines []report.Line
	var trusted []string
	for _, r := range e.Kerberos.Realms {
		trusted = append(trusted, r.Name)
		if r.Name != strings.ToUpper(r.Name) {
			lines = append(lines, report.Warning("klist shows it after the @; Active Directory's is the domain in capitals: "+strings.ToUpper(r.Name), "%s is not in capitals: realms are compared to the letter", r.Name)...)
		}
	}
	if len(trusted) == 0 {
		return report.Failed("kerberos: realms: [{name: EXAMPLE.COM}]", "none is trusted: all tickets are refused")
	}
	if len(lines) > 0 {
		return lines
	}
	return report.OK("trusted: %s", strings.Join(trusted, ", "))
}

// offerTo: who is inside, that is, who is asked for a ticket.
func (e *exam) offerTo(context.Context) []report.Line {
	if e.Kerberos == nil {
		return nil
	}
	inside := e.Kerberos.OfferTo
	if len(inside) == 0 {
		return report.Warning("kerberos: offer_to: [10.0.0.0/8], the addresses of your offices", "empty: nobody is asked for a ticket")
	}
	if i := slices.IndexFunc(inside, func(p netip.Prefix) bool { return p.Bits() == 0 }); i >= 0 {
		return report.Warning("name the addresses of your offices and VPN", "%s is everybody: browsers outside get a prompt they cannot answer, and may try passwords at your KDC", inside[i])
	}
	return report.OK("tickets are asked for from %s", prefixes(inside))
}

// password: what becomes of passwords that the KDC is to check.
func (e *exam) password(context.Context) []report.Line {
	if e.Kerberos == nil {
		return nil
	}
	k := e.Kerberos
	var lines []report.Line
	if k.Fallback == kerberos.FallbackBasic && e.issuer.Scheme == "http" {
		lines = append(lines, report.Warning("use https before anybody else reaches it", "without a ticket the browser sends a password over plain HTTP")...)
	}
	if k.MaxFailures >= usualLockout {
		lines = append(lines, report.Warning("keep max_failures below the directory's own limit (Active Directory: Get-ADDefaultDomainPasswordPolicy, LockoutThreshold; MIT: getpol, maxfailure)",
			"max_failures is %d: directories commonly lock an account after %d, so a stranger could lock people out through idp", k.MaxFailures, usualLockout)...)
	}
	if len(lines) > 0 {
		return lines
	}
	where := "inside only"
	if k.PasswordFromOutside {
		where = "also from outside"
	}
	return report.OK("fallback %s; the KDC is asked %s, %d guesses a person in 30 minutes", k.Fallback, where, k.MaxFailures)
}
