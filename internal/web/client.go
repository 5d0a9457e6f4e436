package web

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// maxHops bounds how many forwarded addresses are looked at.
const maxHops = 32

// maxStrangers bounds how many unknown proxies are remembered as logged.
const maxStrangers = 1000

// identify sets who asks. Behind trusted proxies that is the last address that
// is not a trusted proxy's own; a forwarding header from anybody else makes the
// request one from outside, for a proxy nobody told us about would otherwise
// make the whole world look internal.
func (p *proxies) identify(r *http.Request, info *Info) {
	peer := parseAddr(r.RemoteAddr)
	info.Client = peer
	hops, forwarded := forwardedFor(r.Header)
	if !forwarded {
		return
	}
	if !p.trusts(peer) {
		info.Outside = true
		p.logOnce(peer)
		return
	}
	for i := len(hops) - 1; i >= 0; i-- {
		if !hops[i].IsValid() { // "unknown", or nonsense: nobody we can name
			info.Outside = true
			return
		}
		info.Client = hops[i]
		if !p.trusts(hops[i]) {
			return
		}
	}
}

func (p *proxies) trusts(a netip.Addr) bool {
	for _, t := range p.trusted {
		if t.Contains(a) {
			return true
		}
	}
	return false
}

func (p *proxies) logOnce(peer netip.Addr) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.named == nil {
		p.named = map[netip.Addr]bool{}
	}
	if p.named[peer] || len(p.named) >= maxStrangers {
		return
	}
	p.named[peer] = true
	p.log.Warn("forwarding headers from a peer that is not in trusted_proxies: its clients count as outside", "peer", peer.String())
}

// forwardedFor reads the addresses of Forwarded (RFC 7239 §5.2) or of
// X-Forwarded-For, oldest first, and tells whether any forwarding header came.
func forwardedFor(h http.Header) (hops []netip.Addr, any bool) {
	for name := range h {
		if name == "Forwarded" || strings.HasPrefix(name, "X-Forwarded-") {
			any = true
		}
	}
	if !any {
		return nil, false
	}
	var texts []string
	for _, line := range h["Forwarded"] {
		texts = append(texts, forParameters(line)...)
	}
	if len(texts) == 0 {
		for _, line := range h["X-Forwarded-For"] {
			texts = append(texts, strings.Split(line, ",")...)
		}
	}
	if len(texts) > maxHops {
		texts = texts[len(texts)-maxHops:]
	}
	for _, t := range texts {
		hops = append(hops, parseAddr(strings.TrimSpace(t)))
	}
	return hops, true
}

func forParameters(line string) []string {
	var out []string
	for element := range strings.SplitSeq(line, ",") {
		for pair := range strings.SplitSeq(element, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if strings.EqualFold(name, "for") {
				out = append(out, strings.Trim(value, `"`))
			}
		}
	}
	return out
}

// parseAddr reads an address with or without a port; the zero Addr if it is none.
func parseAddr(text string) netip.Addr {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	a, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// dropIdentityHeaders removes what claims to say who the user is: we tell others
// who somebody is, nobody tells us by a header.
func dropIdentityHeaders(h http.Header) {
	for name := range h {
		if len(name) > 7 && isRemote(name) {
			delete(h, name)
		}
	}
}

func isRemote(name string) bool {
	return strings.EqualFold(name[:6], "remote") && (name[6] == '-' || name[6] == '_')
}
