package kdc

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Referred gets a ticket for a service whose realm the KDCs know better than krb5.conf
// does, as in a forest of domains: who is asked in the realm of the service answers with
// the ticket-granting ticket of a realm that is nearer, and is asked again there (RFC
// 6806 §8). creds stay as they are.
//
// The way is what KDCs answered under the session keys, and nothing else; no realm is
// come to twice. What is at its end is a ticket for the service that was asked for,
// under that very name. It says where the service's realm is, and not that the service
// is to be trusted.
func (c *Client) Referred(ctx context.Context, creds *Credentials, service wire.Principal) (*ServiceTicket, error) {
	at := *creds
	if service.Realm != at.realm {
		if err := c.crossTo(ctx, &at, service.Realm); err != nil {
			return nil, err
		}
	}
	way := []string{at.realm}
	for range maxHops {
		got, err := c.tgs(ctx, &at, service, true)
		if err != nil {
			return nil, err
		}
		next, err := referral(got.server, service)
		if next == "" {
			return got, err
		}
		if slices.Contains(way, next) {
			return nil, reason.Refuse(reason.KDCError, fmt.Sprintf("the KDCs refer from realm to realm in a circle: %s, %s", strings.Join(way, ", "), reason.Short(next)))
		}
		if err := c.setTGT(&at, next, got.Ticket, got.Session); err != nil {
			return nil, err
		}
		service.Realm, way = next, append(way, next)
	}
	return nil, reason.Refuse(reason.KDCError, fmt.Sprintf("more than %d realms on the way to %s", maxHops, strings.Join(service.Components, "/")))
}

// referral is the realm that a KDC refers to; empty if got is what was asked for, or
// neither, which is an error.
func referral(got, asked wire.Principal) (next string, err error) {
	switch {
	case got.Equal(asked):
		return "", nil
	case got.Realm == asked.Realm && len(got.Components) == 2 && got.Components[0] == "krbtgt":
		return got.Components[1], nil
	}
	return "", reason.Refuse(reason.NotGenuine, fmt.Sprintf("asked for %s, got %s", asked, reason.Short(got.String())))
}
