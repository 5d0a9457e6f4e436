package doctor

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"idp/internal/doctor/look"
	"idp/internal/doctor/report"
)

// inside: as whom does idp see this machine, through whatever is in between? The
// page by which people test their browser (/setup/test) tells everybody that about
// themselves, and asks for a ticket who is inside.
func (e *exam) inside(ctx context.Context) []report.Line {
	if e.Kerberos == nil || len(e.Kerberos.OfferTo) == 0 || e.issuer.Hostname() == "" || e.discovery()[0].Level != report.LevelOK {
		return nil
	}
	page, err := e.network.Get(ctx, e.Issuer+"/setup/test")
	if err != nil {
		return nil // server says so
	}
	from := e.ownAddress(ctx)
	line := e.judgeView(seenBy(page), from, e.offered(from))
	if len(line) > 0 {
		line[0].Details = map[string]any{"from": from.String(), "status": page.Status}
	}
	return line
}

// view is what idp says about who asked it.
type view struct {
	asked   bool       // for a ticket: inside
	strange bool       // through a proxy that it must not believe
	at      netip.Addr // outside, at this address
	unready bool       // it has no key to check a ticket with
}

var seenAt = regexp.MustCompile(`sees you at <code>([0-9a-f.:]+)</code>`)

// seenBy reads the page. The names of settings in it are the least likely to be
// reworded.
func seenBy(page *look.Answer) (v view) {
	body := string(page.Body)
	v.asked = slices.ContainsFunc(page.Header.Values("WWW-Authenticate"), func(s string) bool { return strings.EqualFold(s, "Negotiate") })
	if page.Status != http.StatusOK || v.asked {
		return v
	}
	v.strange = strings.Contains(body, "<code>trusted_proxies</code>")
	v.unready = strings.Contains(body, "<code>idp doctor</code>")
	if m := seenAt.FindStringSubmatch(body); m != nil {
		v.at, _ = netip.ParseAddr(m[1])
	}
	return v
}

func (e *exam) judgeView(v view, from netip.Addr, offered bool) []report.Line {
	switch {
	case v.asked && offered:
		return report.OK("through %s idp sees this machine (%s) as inside, and asks for a ticket", e.Issuer, from)
	case v.asked:
		return report.Warning("look at trusted_proxies and offer_to, and whether idp's log names the client or the proxy",
			"through %s idp sees this machine (%s) as inside, though offer_to does not have it: something in between makes it somebody else", e.Issuer, from)
	case v.strange:
		return report.Failed("trusted_proxies: [its address]; idp's log has it: journalctl -u idp | grep 'not in trusted_proxies'. Where it is there already, let it forward the client's address (X-Forwarded-For)",
			"through %s idp sees everybody as outside: a proxy in between is not in trusted_proxies, or does not say for whom it asks", e.Issuer)
	case v.unready && !e.realm.HasKey():
		return nil // keytab and realms say so
	case v.unready:
		return report.Warning("its log says why: journalctl -u idp | grep keytab; it reads a keytab again by itself within seconds", "the server that runs says that it has no key to check tickets with")
	case v.at.IsValid() && offered:
		return report.Failed("let people inside reach idp without address translation; or add that address to kerberos.offer_to, where nobody from outside comes with it",
			"through %s idp sees this machine (%s) as %s, which is outside: a router or proxy in between gives it that address, or idp was not restarted after offer_to was changed", e.Issuer, from, v.at)
	case v.at.IsValid():
		return report.OK("through %s idp sees this machine as %s, which is outside, as offer_to has it", e.Issuer, v.at)
	}
	return nil // not the page
}

// offered reports whether an address is inside, by the configuration.
func (e *exam) offered(a netip.Addr) bool {
	return slices.ContainsFunc(e.Kerberos.OfferTo, func(p netip.Prefix) bool { return p.Contains(a) })
}

// ownAddress is the one by which this machine goes to the issuer.
func (e *exam) ownAddress(ctx context.Context) netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, look.PerAsk)
	defer cancel()
	conn, err := e.network.Dial(ctx, "tcp", net.JoinHostPort(e.issuer.Hostname(), issuerPort(e)))
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close()
	a, _ := netip.ParseAddrPort(conn.LocalAddr().String())
	return a.Addr().Unmap()
}

// direct reports whether this machine may reach the issuer with nothing in between, as
// one of trusted_proxies: then idp answers to it what it answers to nobody else.
func (e *exam) direct(ctx context.Context) bool {
	_, port, err := net.SplitHostPort(e.Listen)
	return err == nil && port == issuerPort(e) && (e.issuer.Scheme == "https") == (e.TLSCertificate != "") && e.trusts(e.ownAddress(ctx))
}
