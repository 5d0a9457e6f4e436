package login

import (
	"slices"
	"strings"

	"idp/internal/authn"
	"idp/internal/policy"
	"idp/internal/web"
)

// hints are what is known of how a visitor will want to log in.
type hints struct {
	last  string // the method of the last login in this browser, as methodOf writes it
	typed bool   // a name was typed here, and the password was not right
}

// arrange puts what a page offers in order: what to begin with comes first, and is
// the only thing on the page that looks like it. That is where the mail address that
// somebody typed, or that a relying party has hinted, belongs (the domains of an
// upstream are configured, and tell nothing of its people); else the form that
// somebody is filling in; else what was used last in this browser; else the form.
func arrange(p web.LoginPage, h hints) []web.Method {
	all := offers(p)
	first := slices.IndexFunc(all, func(m web.Method) bool { return belongs(p, m) })
	if first < 0 && !h.typed {
		first = slices.IndexFunc(all, func(m web.Method) bool { return rememberedAs(m) == h.last })
	}
	if first > 0 {
		m := all[first]
		all = slices.Insert(slices.Delete(all, first, first+1), 0, m)
	}
	return all
}

// offers are the methods of a page in the order for somebody of whom nothing is known.
func offers(p web.LoginPage) []web.Method {
	all := []web.Method{{Kind: web.MethodForm}}
	for _, u := range p.Upstreams {
		all = append(all, web.Method{Kind: web.MethodUpstream, ID: u.ID, Name: u.Name})
	}
	if p.Passkey != nil {
		all = append(all, web.Method{Kind: web.MethodPasskey})
	}
	if p.TicketURL != "" {
		all = append(all, web.Method{Kind: web.MethodTicket})
	}
	return all
}

// belongs reports whether the name on the page is a mail address of a domain that is
// this upstream's.
func belongs(p web.LoginPage, m web.Method) bool {
	i := strings.LastIndexByte(p.Username, '@')
	if i <= 0 || m.Kind != web.MethodUpstream {
		return false
	}
	domain := p.Username[i+1:]
	return slices.ContainsFunc(p.Upstreams, func(u web.UpstreamButton) bool {
		return u.ID == m.ID && slices.ContainsFunc(u.Domains, func(d string) bool { return strings.EqualFold(d, domain) })
	})
}

// ticketUsed is a ticket, as the browser cookie names it.
const ticketUsed = string(web.MethodTicket)

// rememberedAs is how the browser cookie names a method.
func rememberedAs(m web.Method) string {
	if m.Kind == web.MethodUpstream {
		return string(m.Kind) + ":" + m.ID
	}
	return string(m.Kind)
}

// methodOf is by what a login was begun, whatever was added to it: the browser
// remembers it, for the next time. Name and password are the form's, wherever they
// were typed.
func methodOf(res *authn.Result) string {
	m := web.Method{Kind: web.MethodForm}
	switch {
	case res.Upstream.ID != "":
		m = web.Method{Kind: web.MethodUpstream, ID: res.Upstream.ID}
	case slices.Contains(res.AMR, policy.AMRTicket):
		m.Kind = web.MethodTicket
	case slices.Contains(res.AMR, policy.AMRPasskey) && !slices.Contains(res.AMR, policy.AMRPassword):
		m.Kind = web.MethodPasskey
	}
	return rememberedAs(m)
}
