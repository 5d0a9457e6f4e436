package look

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// Names is what the DNS knows of a host.
type Names struct {
	Addrs     []netip.Addr
	Canonical string              // at the end of the CNAMEs; the host itself where there are none
	Reverse   map[string][]string // address → the names its PTR gives, empty: none
}

// Local names never reach the DNS: browsers take them for loopback (RFC 6761
// §6.3), whatever the resolver of this machine says.
func Local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || err == nil && addr.IsLoopback()
}

// Look asks for addresses and the canonical name.
func (w Network) Look(ctx context.Context, host string) (n Names, err error) {
	n.Canonical, n.Reverse = host, map[string][]string{}
	if addr, err := netip.ParseAddr(host); err == nil {
		n.Addrs = []netip.Addr{addr}
		return n, nil
	}
	if Local(host) {
		n.Addrs = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		return n, nil
	}
	ctx, cancel := context.WithTimeout(ctx, PerAsk)
	defer cancel()
	if n.Addrs, err = w.Resolver.LookupNetIP(ctx, "ip", host); err != nil {
		return n, err
	}
	for i, a := range n.Addrs {
		n.Addrs[i] = a.Unmap()
	}
	slices.SortFunc(n.Addrs, netip.Addr.Compare)
	canonical, err := w.Resolver.LookupCNAME(ctx, host)
	if err == nil {
		n.Canonical = Plain(canonical)
	}
	return n, err
}

// LookBack asks for the names of addresses; that there is none is no error.
func (w Network) LookBack(ctx context.Context, n *Names) error {
	ctx, cancel := context.WithTimeout(ctx, PerAsk)
	defer cancel()
	for _, a := range n.Addrs {
		found, err := w.Resolver.LookupAddr(ctx, a.String())
		if err != nil && !Unknown(err) {
			return err
		}
		for i := range found {
			found[i] = Plain(found[i])
		}
		n.Reverse[a.String()] = found
	}
	return nil
}

// Unknown reports whether the DNS answered that there is nothing, which is
// something else than no answer.
func Unknown(err error) bool {
	var e *net.DNSError
	return errors.As(err, &e) && e.IsNotFound
}

// Plain is a name as it is compared.
func Plain(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }

// List is addresses as lines have them.
func List(addrs []netip.Addr) string {
	var out []string
	for _, a := range addrs {
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}
