package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// names is what the DNS knows of a host.
type names struct {
	addrs     []netip.Addr
	canonical string              // at the end of the CNAMEs; the host itself where there are none
	reverse   map[string][]string // address → the names its PTR gives, empty: none
}

// local names never reach the DNS: browsers take them for loopback (RFC 6761
// §6.3), whatever the resolver of this machine says.
func local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}

// look asks for addresses and the canonical name.
func (e *exam) look(ctx context.Context, host string) (n names, err error) {
	n.canonical, n.reverse = host, map[string][]string{}
	if addr, err := netip.ParseAddr(host); err == nil {
		n.addrs = []netip.Addr{addr}
		return n, nil
	}
	if local(host) {
		n.addrs = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		return n, nil
	}
	ctx, cancel := context.WithTimeout(ctx, perAsk)
	defer cancel()
	if n.addrs, err = e.Resolver.LookupNetIP(ctx, "ip", host); err != nil {
		return n, err
	}
	for i, a := range n.addrs {
		n.addrs[i] = a.Unmap()
	}
	slices.SortFunc(n.addrs, netip.Addr.Compare)
	canonical, err := e.Resolver.LookupCNAME(ctx, host)
	if err == nil {
		n.canonical = plain(canonical)
	}
	return n, err
}

// lookBack asks for the names of addresses; that there is none is no error.
func (e *exam) lookBack(ctx context.Context, n *names) error {
	ctx, cancel := context.WithTimeout(ctx, perAsk)
	defer cancel()
	for _, a := range n.addrs {
		found, err := e.Resolver.LookupAddr(ctx, a.String())
		if err != nil && !unknown(err) {
			return err
		}
		for i := range found {
			found[i] = plain(found[i])
		}
		n.reverse[a.String()] = found
	}
	return nil
}

// unknown reports whether the DNS answered that there is nothing, which is
// something else than no answer.
func unknown(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}

func plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

func list(addrs []netip.Addr) string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}
