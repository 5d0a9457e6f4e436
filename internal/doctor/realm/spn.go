package realm

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"idp/internal/doctor/look"
	"idp/internal/doctor/report"
)

// SPN tells which names browsers and programs make out of the issuer's URL when they
// ask a KDC for a ticket (RFC 4559 §4.1 says no more than HTTP@host), and whether
// the keytab has keys for them.
//
//   - The host of the URL as it is: Firefox with its own names, Java, and all
//     where the other two are switched off.
//   - The canonical name, at the end of the CNAMEs: Chromium and Edge (policy
//     DisableAuthNegotiateCnameLookup), and MIT Kerberos (dns_canonicalize_hostname).
//   - The name the address has in the reverse zone: MIT Kerberos with rdns, which
//     is its default; curl and Firefox on Linux use it.
func (e *Exam) SPN(ctx context.Context) []report.Line {
	if e.Kerberos == nil {
		return nil
	}
	host := look.Plain(e.Issuer.Hostname())
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return report.Warning("give the issuer a host name", "the issuer is the address %q: browsers ask for no ticket for an address", host)
	}
	status, err := e.keytabs()
	if err != nil {
		return report.Failed("mend what the lines about config say", "%v", err)
	}
	have := hosts(status)
	n, err := e.Network.Look(ctx, host)
	if err != nil {
		return NoAddress(host, err)
	}
	lines := e.forward(host, n.Canonical, have)
	if !look.Local(host) {
		lines = append(lines, e.reverse(ctx, host, n, have)...)
	}
	return append(lines, e.aliases(ctx, []string{host, n.Canonical}, have)...)
}

// NoAddress is what is wrong with a name that has none in the DNS.
func NoAddress(host string, err error) []report.Line {
	if look.Unknown(err) {
		return report.Failed("make an A or AAAA record for "+host+", or mend issuer", "%s is not in the DNS: nobody reaches it, nobody asks for HTTP/%s", host, host)
	}
	return report.Failed("resolvectl query "+host+"; the servers are in /etc/resolv.conf", "the DNS does not answer for %s: %v", host, err)
}

// forward compares what the URL leads to with the keys. A name that the keytab
// lacks does no harm where the KDC knows it as an alias of the same account: its
// tickets then open with the keys we have, and only the KDC can tell.
func (e *Exam) forward(host, canonical string, have []string) []report.Line {
	hasHost, hasCanonical := slices.Contains(have, host), slices.Contains(have, canonical)
	details := map[string]any{"asked": slices.Compact([]string{host, canonical}), "keytab": have}
	one := func(r []report.Line) []report.Line {
		r[0].Details = details
		return r
	}
	add := "add HTTP/" + canonical + " to the service's account (setspn -S HTTP/" + canonical + " ACCOUNT; MIT: addprinc -randkey HTTP/" + canonical + ") and export the keytab again"
	switch {
	case e.nothingRead():
		return one(report.Failed(seeKeytab, "browsers ask for HTTP/%s, and no keytab with a key of it was read", canonical))
	case host == canonical && hasHost:
		return one(report.OK("browsers ask for HTTP/%s: in the keytab", host))
	case host == canonical && e.settles(host) == opens:
		return one(report.OK("browsers ask for HTTP/%s: not in the keytab by that name, but the KDC knows it as an alias, and its ticket opens", host))
	case host == canonical && e.hasRefused(host):
		return one(report.Failed(seeKeytab, "browsers ask for HTTP/%s: the keytab has it only with encryption types that are not accepted", host))
	case host == canonical:
		return one(report.Failed(add, "browsers ask for HTTP/%s, which no keytab has (there: %s)", host, orNone(have)))
	case hasHost && hasCanonical:
		return one(report.OK("%s is a CNAME of %s: browsers ask for HTTP/%s or HTTP/%s, both in the keytab", host, canonical, canonical, host))
	case hasHost:
		return one(e.canonicalOnly(host, canonical, "make "+host+" an A or AAAA record in place of a CNAME; or "+add))
	case hasCanonical && e.settles(host) == opens:
		return one(report.OK("%s is a CNAME of %s: browsers ask for HTTP/%s or HTTP/%s; the KDC knows both, and tickets for both open", host, canonical, canonical, host))
	case hasCanonical:
		return one(report.Warning("add HTTP/"+host+" to the same account and keytab", "%s is a CNAME of %s, and only HTTP/%s is in the keytab: clients that do not follow CNAMEs ask for HTTP/%s", host, canonical, canonical, host))
	default:
		return one(report.Failed("make "+host+" an A or AAAA record, then add HTTP/"+host+" to the account and keytab",
			"%s is a CNAME of %s: browsers ask for HTTP/%s or HTTP/%s, and no keytab has either (there: %s)", host, canonical, canonical, host, orNone(have)))
	}
}

// hasRefused reports whether the keytab has keys of a host, and none is accepted.
func (e *Exam) hasRefused(host string) bool {
	status, err := e.keytabs()
	return err == nil && slices.Contains(hostsOf(status, false), host)
}

// canonicalOnly judges a CNAME whose target the keytab lacks.
func (e *Exam) canonicalOnly(host, canonical, hint string) []report.Line {
	switch e.settles(canonical) {
	case opens:
		return report.OK("%s is a CNAME of %s: browsers ask for HTTP/%s, not in the keytab by that name, but the KDC knows it as an alias, and its ticket opens", host, canonical, canonical)
	case notKnown:
		return report.Failed(hint, "%s is a CNAME of %s: Chromium and Edge ask for HTTP/%s, which neither the keytab has nor the KDC knows", host, canonical, canonical)
	case sealed:
		return report.Failed(hint, "%s is a CNAME of %s: Chromium and Edge ask for HTTP/%s, which no keytab has, and the KDC's ticket for it does not open", host, canonical, canonical)
	default:
		return report.Warning(hint, "%s is a CNAME of %s: Chromium and Edge ask for HTTP/%s, which no keytab has; that works only where the KDC knows it as an alias of HTTP/%s", host, canonical, canonical, host)
	}
}

// reverse looks at the PTR records: where they give another name, MIT clients
// with rdns ask for that one.
func (e *Exam) reverse(ctx context.Context, host string, n look.Names, have []string) []report.Line {
	if err := e.Network.LookBack(ctx, &n); err != nil {
		return report.Warning("resolvectl query "+look.List(n.Addrs)+"; the servers are in /etc/resolv.conf", "the DNS does not say which names %s has: %v", look.List(n.Addrs), err)
	}
	var lines []report.Line
	for _, a := range n.Addrs {
		for _, name := range n.Reverse[a.String()] {
			if name == host || slices.Contains(have, name) {
				continue
			}
			lines = append(lines, report.Warning("on Linux clients set rdns = false in [libdefaults] of krb5.conf; or let the PTR of "+a.String()+" say "+host+"; or add HTTP/"+name+" to the account and keytab",
				"%s is called %s in the reverse zone: MIT clients with rdns, their default, ask for HTTP/%s, which no keytab has", a, name, name)...)
		}
	}
	return lines
}

// aliases in the keytab that nobody can ask for.
func (e *Exam) aliases(ctx context.Context, asked, have []string) (lines []report.Line) {
	for _, name := range have {
		if slices.Contains(asked, name) || look.Local(name) || !strings.Contains(name, ".") {
			continue
		}
		if _, err := e.Network.Look(ctx, name); err != nil && look.Unknown(err) {
			lines = append(lines, report.Warning("harmless; or a spelling mistake, or a DNS record is missing", "HTTP/%s is in the keytab, and the DNS does not know %s", name, name)...)
		}
	}
	return lines
}

func orNone(have []string) string {
	if len(have) == 0 {
		return "none"
	}
	return "HTTP/" + strings.Join(have, ", HTTP/")
}
