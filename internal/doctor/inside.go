package doctor

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// inside: as whom does idp see this machine, through whatever is in between? The
// page by which people test their browser says whether it would ask for a ticket,
// as it does to anybody about themselves. Where this machine's address is inside
// and idp does not ask, something on the way is not known to idp: a proxy whose
// forwarding headers it must not believe.
func (e *exam) inside(ctx context.Context) []Result {
	if e.Kerberos == nil || e.issuer.Hostname() == "" || e.discovery()[0].Level != OK || !e.canOffer() {
		return nil
	}
	got, err := e.get(ctx, e.Issuer+"/setup/test")
	if err != nil {
		return nil // server says so
	}
	asked := slices.ContainsFunc(got.header.Values("WWW-Authenticate"), func(v string) bool { return strings.EqualFold(v, "Negotiate") })
	from := e.ownAddress(ctx)
	within := from.IsValid() && slices.ContainsFunc(e.Kerberos.OfferTo, func(p netip.Prefix) bool { return p.Contains(from) })
	switch {
	case got.status != http.StatusOK && !(got.status == http.StatusUnauthorized && asked):
		return nil // not the page
	case asked && within:
		return ok("asked through %s, idp sees this machine (%s) as inside and asks for a ticket", e.Issuer, from)
	case asked:
		return warning("look at trusted_proxies and offer_to: does idp's log name the client, or the proxy?",
			"asked through %s, idp sees this machine (%s) as inside, though offer_to does not have it: it is taken for somebody else, a proxy that names no client?", e.Issuer, from)
	case within:
		return failed("name the proxy in trusted_proxies; idp's log has its address: journalctl -u idp | grep 'not in trusted_proxies'",
			"asked through %s, idp sees this machine (%s) as outside, though offer_to has it: a proxy in between is not trusted, or does not forward the client's address (X-Forwarded-For), or gives it another one (NAT)", e.Issuer, from)
	default:
		return ok("asked through %s, idp sees this machine (%s) as outside, as offer_to has it", e.Issuer, from)
	}
}

// canOffer reports whether tickets can be asked for at all.
func (e *exam) canOffer() bool {
	status, err := e.keytabs()
	return err == nil && len(e.Kerberos.Realms) > 0 && len(e.Kerberos.OfferTo) > 0 && len(hosts(status)) > 0
}

// ownAddress is the one by which this machine goes to the issuer.
func (e *exam) ownAddress(ctx context.Context) netip.Addr {
	ctx, cancel := context.WithTimeout(ctx, perAsk)
	defer cancel()
	conn, err := e.dial(ctx, "tcp", net.JoinHostPort(e.issuer.Hostname(), issuerPort(e)))
	if err != nil {
		return netip.Addr{}
	}
	defer conn.Close() //nolint:errcheck // nothing was sent
	a, _ := netip.ParseAddrPort(conn.LocalAddr().String())
	return a.Addr().Unmap()
}
