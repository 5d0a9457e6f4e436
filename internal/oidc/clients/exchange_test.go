package clients

import (
	"strings"
	"testing"
	"time"

	"idp/internal/store"
)

const tokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"

// exchanging is a client that Check takes.
func exchanging() store.Client {
	return store.Client{ClientID: "front", SecretHashes: [][]byte{{1}}, TokenEndpointAuthMethod: "client_secret_post", RedirectURIs: []string{"https://front.example/cb"},
		Exchange:       []store.Exchange{{Audience: "https://ledger.example", Scopes: []string{"read"}, Lifetime: store.Duration(time.Minute), From: []string{"https://front.example"}}},
		TicketExchange: []string{"https://ledger.example"}}
}

func TestCheckOfExchanges(t *testing.T) {
	entry := func(change func(*store.Exchange)) func(*store.Client) {
		return func(c *store.Client) { change(&c.Exchange[0]) }
	}
	if c := exchanging(); Check(&c) != nil || !MayUse(&c, tokenExchange) || !MayUse(&c, "authorization_code") {
		t.Errorf("%v, grants %v", Check(&c), GrantTypes(&c))
	}
	backEnd := exchanging()
	backEnd.RedirectURIs, backEnd.GrantTypes, backEnd.TicketExchange = nil, []string{tokenExchange}, nil
	if Check(&backEnd) != nil || MayUse(&backEnd, "authorization_code") || len(GrantTypes(&backEnd)) != 1 {
		t.Errorf("%v, grants %v", Check(&backEnd), GrantTypes(&backEnd))
	}
	for want, change := range map[string]func(*store.Client){
		"grant_types: " + tokenExchange + " needs": func(c *store.Client) {
			c.GrantTypes, c.Exchange, c.TicketExchange = []string{tokenExchange}, nil, nil
		},
		"exchange: not for a public":                        func(c *store.Client) { c.TokenEndpointAuthMethod, c.SecretHashes = "none", nil },
		"exchange: not for a relying party that registered": func(c *store.Client) { c.Registered = true },
		"exchange: entry 1: audience":                       entry(func(e *store.Exchange) { e.Audience = "" }),
		"exchange: entry 1: audience: want":                 entry(func(e *store.Exchange) { e.Audience = "ledger" }),
		"exchange: entry 1: audience: ":                     entry(func(e *store.Exchange) { e.Audience = "https://ledger.example/#x" }),
		"exchange: entry 1: scopes: \"a b\"":                entry(func(e *store.Exchange) { e.Scopes = []string{"a b"} }),
		"exchange: entry 1: scopes: \"\"":                   entry(func(e *store.Exchange) { e.Scopes = []string{""} }),
		"exchange: entry 1: scopes: \"a\\\"\"":              entry(func(e *store.Exchange) { e.Scopes = []string{`a"`} }),
		"exchange: entry 1: scopes: openid":                 entry(func(e *store.Exchange) { e.Scopes = []string{"openid"} }),
		"exchange: entry 1: scopes: offline_access":         entry(func(e *store.Exchange) { e.Scopes = []string{"offline_access"} }),
		"exchange: entry 1: lifetime":                       entry(func(e *store.Exchange) { e.Lifetime = -1 }),
		"exchange: entry 1: lifetime: ":                     entry(func(e *store.Exchange) { e.Lifetime = store.Duration(2 * time.Hour) }),
		"exchange: entry 1: from":                           entry(func(e *store.Exchange) { e.From = []string{""} }),
		"exchange: entry 1: from: ":                         entry(func(e *store.Exchange) { e.From = []string{" a"} }),
		"exchange: entry 2: audience \"https://ledger.example\" is there twice": func(c *store.Client) {
			c.Exchange = append(c.Exchange, c.Exchange[0])
		},
		"ticket_exchange: the ticket comes": func(c *store.Client) { c.TokenEndpointAuthMethod = "" },
		"ticket_exchange: not for": func(c *store.Client) {
			c.Registered, c.Exchange = true, nil
		},
		"ticket_exchange: there is no page": func(c *store.Client) { c.Trusted = new(bool) },
		"ticket_exchange: \"\"":             func(c *store.Client) { c.TicketExchange = []string{""} },
		"ticket_exchange: \"x\"":            func(c *store.Client) { c.TicketExchange = []string{"x"} },
		"ticket_exchange: \"http":           func(c *store.Client) { c.TicketExchange = append(c.TicketExchange, c.TicketExchange[0]) },
	} {
		c := exchanging()
		change(&c)
		found := false
		for _, problem := range Check(&c) {
			found = found || strings.HasPrefix(problem.Error(), want)
		}
		if !found {
			t.Errorf("%s: %v", want, Check(&c))
		}
	}
}

// A public client has no policy whatever its row says.
func TestExchangeForWhom(t *testing.T) {
	c := exchanging()
	if e, ok := ExchangeFor(&c, "https://ledger.example"); !ok || len(e.From) != 1 {
		t.Errorf("%v %v", e, ok)
	}
	if _, ok := ExchangeFor(&c, "https://ledger.example/"); ok {
		t.Error("another audience")
	}
	c.TokenEndpointAuthMethod = "none"
	if _, ok := ExchangeFor(&c, "https://ledger.example"); ok {
		t.Error("a public client")
	}
	if !MayShowTicket(&c, "https://ledger.example") || MayShowTicket(&c, "https://archive.example") {
		t.Error("tickets")
	}
}
