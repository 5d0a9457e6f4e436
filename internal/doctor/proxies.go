package doctor

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"idp/internal/doctor/look"
	"idp/internal/doctor/report"
	"idp/internal/doctor/site"
)

// proxies: whose word about the client's address is taken. Nobody's where there
// is a proxy makes everybody an outsider; everybody's makes everybody whoever
// they say.
func (e *exam) proxies(context.Context) []report.Line {
	behind := e.issuer.Scheme == "https" && e.TLSCertificate == ""
	if len(e.TrustedProxies) == 0 {
		if !behind {
			return report.OK("none trusted: idp speaks to browsers itself")
		}
		hint := "trusted_proxies: [the proxy's address, such as 192.0.2.7/32]"
		if e.onLoopback() {
			hint = "trusted_proxies: [127.0.0.1/32, \"::1/128\"]"
		}
		if e.Kerberos != nil {
			return report.Failed(hint, "https without tls means a proxy in front, and none is trusted: everybody counts as outside, nobody is asked for a ticket")
		}
		return report.Warning(hint, "https without tls means a proxy in front, and none is trusted: the log names the proxy in place of the client, and guesses are counted for all together")
	}
	var lines []report.Line
	for _, p := range e.TrustedProxies {
		lines = append(lines, wide(p)...)
	}
	if behind && e.onLoopback() && !e.trusts(netip.MustParseAddr("127.0.0.1")) && !e.trusts(netip.IPv6Loopback()) {
		lines = append(lines, report.Failed("trusted_proxies: [127.0.0.1/32, \"::1/128\"]", "only this machine reaches %s, and its own address is not trusted: the proxy's headers are not believed", e.Listen)...)
	}
	if len(lines) == 0 {
		lines = report.OK("trusted: %s", prefixes(e.TrustedProxies))
	}
	return lines
}

// wide ranges hold people as well as proxies.
func wide(p netip.Prefix) []report.Line {
	limit := 16
	if p.Addr().Is6() {
		limit = 48
	}
	switch {
	case p.Bits() == 0:
		return report.Failed("name the proxy's own address", "trusted_proxies has %s: anybody may say to be inside, and guess passwords from as many addresses as they like", p)
	case p.Bits() < limit && !p.Addr().IsLoopback():
		return report.Warning("name the proxy's own address", "trusted_proxies has %s, a large range: whoever is in it may say from where they come", p)
	}
	return nil
}

func (e *exam) onLoopback() bool {
	host, _, err := net.SplitHostPort(e.Listen)
	return err == nil && look.Local(host)
}

func prefixes(list []netip.Prefix) string {
	if len(list) > 8 {
		return fmt.Sprintf("%s and %d more", prefixes(list[:6]), len(list)-6)
	}
	text := ""
	for i, p := range list {
		if i > 0 {
			text += ", "
		}
		text += p.String()
	}
	return text
}

// sites: are those that are protected served as they should be?
func (e *exam) sites(ctx context.Context) []report.Line {
	all := site.Exam{Config: site.Config{Sites: e.Sites, Issuer: e.Issuer, Listen: e.Listen, OnLoopback: e.onLoopback(), Network: e.network, Direct: e.direct,
		Answers: func() bool { return e.issuer.Hostname() != "" && e.discovery()[0].Level == report.LevelOK }}}
	return all.Look(ctx)
}
