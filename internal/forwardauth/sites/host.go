package sites

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Index are sites by their hosts.
type Index map[string]*Site

// Index makes one. The sites stay those of c.
func (c Config) Index() Index {
	x := make(Index, len(c))
	for i := range c {
		x[c[i].Host] = &c[i]
	}
	return x
}

// Find is the site that has a host, in lower case: with this port, or with any. nil: none
// has, or it is written in another way than its only one.
func (x Index) Find(host string) *Site {
	if site := x[host]; site != nil { // written as it has to be: Check saw to that
		return site
	}
	site := x[bracketed(Hostname(host))]
	if site == nil || !spelt(host) || Hostname(host) != Hostname(site.Host) {
		return nil
	}
	return site
}

// plainHost: letters, digits, hyphens and dots, or an address; everything else would be
// read in one way here and in another by the proxy.
func plainHost(name string) bool {
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Zone() == ""
	}
	odd := func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' }
	return name != "" && len(name) <= 253 && !strings.ContainsFunc(name, odd) &&
		!strings.HasPrefix(name, ".") && !strings.HasSuffix(name, ".") && !strings.Contains(name, "..")
}

func plainPort(host string) bool {
	_, port, err := net.SplitHostPort(host)
	if err != nil {
		return Hostname(host) != "" && !strings.HasSuffix(host, ":")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0 && port[0] != '0'
}

// Hostname is a host without its port.
func Hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
}

// bracketed is a host name as a URL has it (RFC 3986 §3.2.2).
func bracketed(name string) string {
	if strings.Contains(name, ":") {
		return "[" + name + "]"
	}
	return name
}

// spelt reports whether a host is written in its only way, with or without a port.
func spelt(host string) bool {
	name := Hostname(host)
	rest, ok := strings.CutPrefix(host, bracketed(name))
	if addr, err := netip.ParseAddr(name); err == nil && addr.String() != name {
		return false
	}
	return ok && plainHost(name) && (rest == "" || rest[0] == ':') && plainPort(host)
}

// Local are the hosts that plain http reaches without leaving this machine.
func Local(host string) bool {
	name := Hostname(host)
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || err == nil && addr.IsLoopback()
}
