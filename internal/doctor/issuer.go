package doctor

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"

	"idp/internal/doctor/look"
	"idp/internal/doctor/realm"
	"idp/internal/doctor/report"
)

// checkIssuer compares the URL that people type with the address idp listens on.
func (e *exam) checkIssuer(ctx context.Context) []report.Line {
	host, port, err := net.SplitHostPort(e.Listen)
	if err != nil || e.issuer.Hostname() == "" {
		return nil // config has said so
	}
	lines := e.scheme(host)
	if p := issuerPort(e); p != port && port != "0" && len(e.TrustedProxies) == 0 {
		lines = append(lines, report.Warning("fine where something forwards port "+p+" to "+port+"; else change listen or issuer",
			"people go to port %s of %s, idp listens on port %s, and no proxy is trusted that could be in between", p, e.issuer.Hostname(), port)...)
	}
	return append(lines, e.whose(ctx, host)...)
}

// scheme: who ends TLS, and whether plain HTTP can be heard by others.
func (e *exam) scheme(listenHost string) []report.Line {
	ends, alone := e.TLSCertificate != "", look.Local(listenHost)
	switch {
	case e.issuer.Scheme == "http" && ends:
		return report.Failed("write https in issuer, or take tls out", "the issuer is http, and idp speaks TLS: nobody gets an answer at %s", e.Issuer)
	case e.issuer.Scheme == "http" && !alone:
		return report.Warning("listen on 127.0.0.1, or use https", "%s is for this machine only, and idp listens on %s", e.Issuer, e.Listen)
	case e.issuer.Scheme == "https" && !ends && !alone:
		return report.Warning("let only the proxy reach it: a firewall, or listen on 127.0.0.1 where the proxy is on this machine",
			"idp speaks plain HTTP on %s: whoever reaches it there sends passwords that can be heard", e.Listen)
	}
	return nil
}

func issuerPort(e *exam) string {
	if p := e.issuer.Port(); p != "" {
		return p
	}
	if e.issuer.Scheme == "https" {
		return "443"
	}
	return "80"
}

// whose machine the issuer's name leads to.
func (e *exam) whose(ctx context.Context, listenHost string) []report.Line {
	host := look.Plain(e.issuer.Hostname())
	n, err := e.network.Look(ctx, host)
	if err != nil && e.Kerberos != nil {
		return nil // spn says so
	}
	if err != nil {
		return realm.NoAddress(host, err)
	}
	details := map[string]any{"addresses": n.Addrs, "canonical": n.Canonical}
	lines := e.judgeAddresses(host, n.Addrs, listenHost)
	lines[0].Details = details
	return lines
}

func (e *exam) judgeAddresses(host string, addrs []netip.Addr, listenHost string) []report.Line {
	here, proxy := func(a netip.Addr) bool { return look.Local(a.String()) || slices.Contains(own(), a) }, e.trusts
	switch {
	case !look.Local(host) && slices.ContainsFunc(addrs, netip.Addr.IsLoopback):
		return report.Warning("give the name the address that others reach; an entry in this machine's /etc/hosts alone does no harm", "%s is %s, as seen from here: where the DNS says so too, everybody else is sent to their own machine", host, look.List(addrs))
	case slices.ContainsFunc(addrs, here):
		if addr, err := netip.ParseAddr(listenHost); err == nil && !addr.IsUnspecified() && e.TLSCertificate != "" && !slices.Contains(addrs, addr) {
			return report.Failed("listen on "+net.JoinHostPort(addrs[0].String(), issuerPort(e))+", or on all addresses: :"+issuerPort(e), "%s is %s, and idp listens on %s only", host, look.List(addrs), e.Listen)
		}
		return report.OK("%s is %s: this machine; idp listens on %s", host, look.List(addrs), e.Listen)
	case slices.ContainsFunc(addrs, proxy):
		return report.OK("%s is %s: a trusted proxy; idp listens on %s", host, look.List(addrs), e.Listen)
	case len(e.TrustedProxies) > 0:
		return report.OK("%s is %s: not this machine, so a proxy or load balancer; idp listens on %s", host, look.List(addrs), e.Listen)
	default:
		return report.Warning("fine where a router or load balancer passes connections on unopened; a proxy that ends TLS belongs into trusted_proxies",
			"%s is %s, which is not this machine (%s)", host, look.List(addrs), look.List(own()))
	}
}

func (e *exam) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(e.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

// own are this machine's addresses, without loopback and link-local ones.
func own() (list []netip.Addr) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, f := range found {
		text, _, _ := strings.Cut(f.String(), "/")
		if a, err := netip.ParseAddr(text); err == nil && !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			list = append(list, a.Unmap())
		}
	}
	return list
}
