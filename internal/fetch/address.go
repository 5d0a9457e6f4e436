package fetch

import (
	"context"
	"net/netip"
	"slices"
	"syscall"
)

// special are the networks that are not of the public Internet: IANA's registries
// of special-purpose addresses (RFC 6890), multicast, and ways to hide an IPv4
// address in an IPv6 one.
var special = func() (all []netip.Prefix) {
	for _, text := range []string{
		"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
		"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
		"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
	} {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}()

// unicast6 is all that is public of IPv6 (RFC 4291 §2.4). Outside it are loopback,
// link-local, unique local and mapped addresses, NAT64 and multicast.
var unicast6 = netip.MustParsePrefix("2000::/3")

// nat64 is how hosts with IPv6 only reach IPv4 (RFC 6052 §2.1).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

func public(a netip.Addr) bool {
	if a.Is6() && !unicast6.Contains(a) {
		return false
	}
	return !slices.ContainsFunc(special, func(p netip.Prefix) bool { return p.Contains(a) })
}

// refused is an address that was not dialled.
type refused struct {
	address netip.Addr
	plain   bool // it would have been asked without TLS
}

func (r refused) Error() string {
	if r.plain {
		return "plain http to " + r.address.String() + " is not allowed: want https"
	}
	return r.address.String() + " is not an address of the public Internet, and its network is not allowed"
}

// permit judges what https may dial. An allowed NAT64 leads on to the IPv4 address
// in its last 32 bits, which has to be fit as well.
func (f *Fetcher) permit(a netip.Addr) error {
	if !public(a) && !f.allowed(a) {
		return refused{address: a}
	}
	if nat64.Contains(a) {
		b := a.As16()
		return f.permit(netip.AddrFrom4([4]byte(b[12:])))
	}
	return nil
}

// permitPlain judges what http may dial: what never leaves the machine, or where
// the caller allows it the company.
func (f *Fetcher) permitPlain(a netip.Addr) error {
	if (a.IsLoopback() || f.AllowPlain) && f.allowed(a) {
		return nil
	}
	return refused{address: a, plain: true}
}

// metadata are addresses at which a cloud tells a machine its secrets, and which
// are not link-local: they stay refused in an allowed network.
var metadata = []netip.Prefix{netip.MustParsePrefix("fd00:ec2::/32"), netip.MustParsePrefix("100.100.100.200/32")}

func (f *Fetcher) allowed(a netip.Addr) bool {
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return !slices.ContainsFunc(metadata, in) && slices.ContainsFunc(f.AllowPrivate, in)
}

// control judges the address of a socket just before it connects. An IPv4 address
// is one in whichever form it comes.
func control(permit func(netip.Addr) error) func(context.Context, string, string, syscall.RawConn) error {
	return func(_ context.Context, _, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		return permit(ap.Addr().Unmap().WithZone(""))
	}
}
