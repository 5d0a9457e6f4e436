package policy

import (
	"net/netip"
	"slices"
)

// From says where a credential came from, for policy and for the audit entry.
type From struct {
	Address   netip.Addr
	Outside   bool // forwarded by a proxy nobody told us about
	RequestID string
	ClientID  string
	Site      string // the protected site (host name) that a credential was sent to; empty: to us
	Agent     string // what the browser says it is, in words of package useragent
	// Known reports whether the browser has logged in to an account (authn.Result.Account)
	// before; nil: it is no browser.
	Known func(account string) bool
}

// Inside reports whether a client is inside the company: its address is in one
// of the prefixes and no unknown proxy stands between.
func Inside(offerTo []netip.Prefix, from From) bool {
	return !from.Outside && slices.ContainsFunc(offerTo, func(p netip.Prefix) bool { return p.Contains(from.Address) })
}

// Network is what pending requests of an address are counted by: the address,
// and of IPv6, where everybody has 2^64 of them, the /64.
func Network(a netip.Addr) string {
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}

// Customer is the network in which one customer of a provider moves at will: a /48 of
// IPv6, which has 65,536 of Network's, and an address of IPv4, for the network around
// that is many customers'.
func Customer(a netip.Addr) string {
	if a.Is6() {
		return WideNetwork(a)
	}
	return Network(a)
}

// WideNetwork is the network around that of an address: what a provider gives a
// customer of IPv6 (/48), and a /24 of IPv4.
func WideNetwork(a netip.Addr) string {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return a.String()
	}
	return p.String()
}
