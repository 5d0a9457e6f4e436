package clients

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/store"
)

// longestExchange bounds the lifetime of an exchanged token, which ends with the one
// that it was got for anyway.
const longestExchange = time.Hour

// exchanges reports whether there is anything that the client may exchange.
func exchanges(c *store.Client) bool { return len(c.Exchange) > 0 || len(c.TicketExchange) > 0 }

// ExchangeFor is the client's policy for an audience (RFC 8693); ok is false where it
// has none. A public client has none whatever is registered: anybody could be it.
func ExchangeFor(c *store.Client, audience string) (policy store.Exchange, ok bool) {
	i := slices.IndexFunc(c.Exchange, func(e store.Exchange) bool { return e.Audience == audience })
	if i < 0 || c.Public() {
		return policy, false
	}
	return c.Exchange[i], true
}

// MayShowTicket reports whether the client gets tokens for an audience by its user's
// Kerberos ticket.
func MayShowTicket(c *store.Client, audience string) bool {
	return slices.Contains(c.TicketExchange, audience)
}

// checkExchange: RFC 8693 leaves to us who may exchange what.
func checkExchange(c *store.Client) error {
	switch listed := slices.Contains(c.GrantTypes, string(protocol.GrantTypeTokenExchange)); {
	case listed && !exchanges(c):
		return fmt.Errorf("grant_types: %s needs exchange or ticket_exchange, which say for whom", protocol.GrantTypeTokenExchange)
	case len(c.Exchange) == 0:
		return nil
	case c.Public():
		return errors.New("exchange: not for a public client (none), which cannot prove that it is the one that may")
	case c.Registered:
		return errors.New("exchange: not for a relying party that registered itself")
	}
	for i, e := range c.Exchange {
		if err := checkExchangeEntry(e); err != nil {
			return fmt.Errorf("exchange: entry %d: %w", i+1, err)
		}
		if slices.ContainsFunc(c.Exchange[:i], func(o store.Exchange) bool { return o.Audience == e.Audience }) {
			return fmt.Errorf("exchange: entry %d: audience %q is there twice", i+1, e.Audience)
		}
	}
	return nil
}

func checkExchangeEntry(e store.Exchange) error {
	if err := checkAudience(e.Audience); err != nil {
		return fmt.Errorf("audience: %w", err)
	}
	for _, scope := range e.Scopes {
		switch {
		case scope == "" || strings.ContainsFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }):
			return fmt.Errorf("scopes: %q: want names of plain ASCII, each an item of the list", scope)
		case slices.Contains(UserScopes, scope):
			return fmt.Errorf("scopes: %s is for whom the user logs in to, and means nothing at another audience", scope)
		}
	}
	if e.Lifetime < 0 || e.Lifetime.D() > longestExchange {
		return fmt.Errorf("lifetime: want a duration such as 2m, and %s at most", longestExchange)
	}
	if slices.ContainsFunc(e.From, func(from string) bool { return strings.TrimSpace(from) != from || from == "" }) {
		return errors.New("from: want resources, or hosts behind forward auth, whose tokens may be exchanged")
	}
	return nil
}

// checkTicketExchange: the ticket comes in the header in which a secret may come too
// (RFC 4559 §4.2, RFC 6749 §2.3.1), so the client proves itself by the body.
func checkTicketExchange(c *store.Client) error {
	switch {
	case len(c.TicketExchange) == 0:
		return nil
	case AuthMethod(c) == protocol.AuthMethodBasic:
		return errors.New("ticket_exchange: the ticket comes in the Authorization header, so the client authenticates in the body: want token_endpoint_auth_method client_secret_post, private_key_jwt or none")
	case c.Registered:
		return errors.New("ticket_exchange: not for a relying party that registered itself")
	case c.Trusted != nil && !*c.Trusted:
		return errors.New("ticket_exchange: there is no page on which somebody could allow it, so the client has to be trusted: leave trusted out")
	}
	for i, audience := range c.TicketExchange {
		if err := checkAudience(audience); err != nil {
			return fmt.Errorf("ticket_exchange: %q: %w", audience, err)
		}
		if slices.Contains(c.TicketExchange[:i], audience) {
			return fmt.Errorf("ticket_exchange: %q is there twice", audience)
		}
	}
	return nil
}

// checkAudience: a resource (RFC 8707 §2). Whether there is such a one, the
// configuration says.
func checkAudience(uri string) error {
	if u, err := url.Parse(uri); err != nil || !u.IsAbs() || strings.ContainsAny(uri, "# ") {
		return errors.New("want the uri of one of the resources, such as https://ledger.example.com")
	}
	return nil
}
