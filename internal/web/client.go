package web

import (
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
)

// Limits of the forwarding headers of one request.
const (
	maxForwarded = 4 << 10 // bytes
	maxHops      = 32
)

// maxStrangers bounds how many unknown proxies are remembered as logged.
const maxStrangers = 1000

// proxies finds out who asks.
type proxies struct {
	trusted []netip.Prefix
	log     *slog.Logger

	mu    sync.Mutex
	named map[netip.Addr]bool // strangers that were logged; bounded
}

// identify sets who asks. Behind trusted proxies that is the last address that
// is not a trusted proxy's own; a forwarding header from anybody else makes the
// request one from outside, for a proxy nobody told us about would otherwise
// make the whole world look internal.
func (p *proxies) identify(r *http.Request, info *Info) {
	peer, _ := parseAddr(r.RemoteAddr)
	info.Client = peer
	trusted := p.trusts(peer)
	info.Proxied = trusted
	if !sift(r.Header, trusted) {
		// A proxy that names nobody may have been told to drop the name
		// ("Connection: X-Forwarded-For").
		info.Outside = trusted
		return
	}
	if !trusted {
		info.Outside = true
		p.logOnce(peer)
		return
	}
	info.Client, info.Outside = p.client(r.Header, peer)
}

func (p *proxies) trusts(a netip.Addr) bool {
	return slices.ContainsFunc(p.trusted, func(t netip.Prefix) bool { return t.Contains(a) })
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

// sift drops the headers that nobody may send us, and tells whether forwarding
// headers came. Dropped are: what claims to say who the user is, for we tell
// others who somebody is and nobody tells us by a header; names with an
// underscore, which programs behind CGI or WSGI cannot tell from a hyphen; and
// the forwarding headers of peers that are not trusted.
func sift(h http.Header, trusted bool) (forwarded bool) {
	for name := range h {
		switch {
		case strings.IndexByte(name, '_') >= 0:
			delete(h, name)
		case name == "" || strings.IndexByte("FfRrXx", name[0]) < 0: // none of those below begins so
		case identityHeader(name):
			delete(h, name)
		case forwardingHeader(name):
			forwarded = true
			if !trusted {
				delete(h, name)
			}
		}
	}
	return forwarded
}

func forwardingHeader(name string) bool {
	return hasPrefixFold(name, "X-Forwarded-") || hasPrefixFold(name, "X-Original-") || strings.EqualFold(name, "Forwarded") || strings.EqualFold(name, "X-Real-Ip")
}

// identityHeader knows the families that proxies and sites use between them.
func identityHeader(name string) bool {
	for _, family := range [...]string{"Remote-", "X-Remote-", "X-Auth-Request-", "X-Webauth-", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username"} {
		if hasPrefixFold(name, family) {
			return true
		}
	}
	return false
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// client is whom the trusted proxies name. A proxy writes either Forwarded or
// X-Forwarded-For and passes the other one on as it came, from anybody: where
// both are there and differ, one is forged, and the client counts as outside. So
// it does where a proxy forwards without saying for whom.
func (p *proxies) client(h http.Header, peer netip.Addr) (a netip.Addr, outside bool) {
	xff, rfc := h["X-Forwarded-For"], h["Forwarded"]
	if len(xff) == 0 && len(rfc) == 0 {
		return peer, true
	}
	if len(rfc) == 0 {
		return p.walk(xff, peer, strings.TrimSpace)
	}
	b, bOutside := p.walk(rfc, peer, forParameter)
	if len(xff) == 0 {
		return b, bOutside
	}
	a, outside = p.walk(xff, peer, strings.TrimSpace)
	return a, outside || bOutside || a != b
}

// walk goes through a header from its end, where the nearest proxy wrote, to the
// first address that is not a trusted proxy's. What cannot be read ("unknown",
// RFC 7239 §6.2) is somebody we cannot name, and outside.
func (p *proxies) walk(lines []string, peer netip.Addr, node func(string) string) (a netip.Addr, outside bool) {
	a = peer
	size, hops := 0, 0
	for _, line := range slices.Backward(lines) {
		if size += len(line); size > maxForwarded {
			return a, true
		}
		for more := true; more; {
			var element string
			line, element, more = cutLast(line)
			next, ok := parseAddr(node(element))
			if hops++; !ok || hops > maxHops {
				return a, true
			}
			if a = next; !p.trusts(a) {
				return a, false
			}
		}
	}
	return a, false
}

// cutLast splits a list before its last element.
func cutLast(list string) (rest, last string, more bool) {
	i := strings.LastIndexByte(list, ',')
	if i < 0 {
		return "", list, false
	}
	return list[:i], list[i+1:], true
}

// forParameter is the "for" of an element of Forwarded (RFC 7239 §4, §5.2); empty
// when there is none, or more than the one that may be.
func forParameter(element string) (found string) {
	for pair := range strings.SplitSeq(element, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		if !strings.EqualFold(name, "for") {
			continue
		}
		if found != "" {
			return ""
		}
		found = strings.Trim(value, `"`)
	}
	return found
}

// parseAddr reads an address with or without a port: 192.0.2.1:80, 2001:db8::1,
// [2001:db8::1]:80. IPv4 comes out as IPv4, and without a zone.
func parseAddr(text string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	if err != nil {
		var ap netip.AddrPort
		if ap, err = netip.ParseAddrPort(text); err != nil {
			return netip.Addr{}, false
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone(""), true
}
