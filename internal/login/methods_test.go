package login

import (
	"strings"
	"testing"

	"idp/internal/authn"
	"idp/internal/policy"
	"idp/internal/store"
	"idp/internal/web"
)

func TestTheMethodsOfALoginPageInOrder(t *testing.T) {
	upstreams := []web.UpstreamButton{{ID: "partner", Name: "Partner", Domains: []string{"partner.example"}}, {ID: "city", Name: "City", Domains: []string{"City.Example", "towns.example"}}}
	const all = "form upstream:partner upstream:city ticket"
	for name, c := range map[string]struct {
		h         hints
		username  string
		noTicket  bool
		upstreams []web.UpstreamButton
		want      string
	}{
		"nothing is known":                      {want: all},
		"only the form":                         {noTicket: true, upstreams: []web.UpstreamButton{}, want: "form"},
		"the form was used last":                {h: hints{last: "form"}, want: all},
		"an upstream was used last":             {h: hints{last: "upstream:city"}, want: "upstream:city form upstream:partner ticket"},
		"a ticket was used last":                {h: hints{last: "ticket"}, want: "ticket form upstream:partner upstream:city"},
		"a ticket was, and is not offered":      {h: hints{last: "ticket"}, noTicket: true, want: "form upstream:partner upstream:city"},
		"an upstream was, and is gone":          {h: hints{last: "upstream:gone"}, want: all},
		"a passkey was, and none is offered":    {h: hints{last: "passkey"}, want: all},
		"nonsense was":                          {h: hints{last: "upstream:"}, want: all},
		"a password was wrong after all":        {h: hints{last: "upstream:city", typed: true}, username: "alice", want: all},
		"a mail address of an upstream":         {username: "carol@partner.example", want: "upstream:partner form upstream:city ticket"},
		"its case does not matter":              {username: "Carol@CITY.example", want: "upstream:city form upstream:partner ticket"},
		"it counts more than what was last":     {h: hints{last: "upstream:partner"}, username: "carol@towns.example", want: "upstream:city form upstream:partner ticket"},
		"also after a wrong password":           {h: hints{typed: true}, username: "carol@city.example", want: "upstream:city form upstream:partner ticket"},
		"a domain below":                        {username: "carol@sub.partner.example", want: all},
		"a domain above":                        {username: "carol@example", want: all},
		"the domain is what follows the last @": {username: "a@partner.example@city.example", want: "upstream:city form upstream:partner ticket"},
		"no address":                            {username: "@partner.example", want: all},
		"no domain":                             {username: "carol@", want: all},
	} {
		t.Run(name, func(t *testing.T) {
			p := web.LoginPage{Username: c.username, Upstreams: upstreams, TicketURL: "/login/negotiate"}
			if c.noTicket {
				p.TicketURL = ""
			}
			if c.upstreams != nil {
				p.Upstreams = c.upstreams
			}
			var got []string
			for _, m := range arrange(p, c.h) {
				got = append(got, rememberedAs(m))
			}
			if s := strings.Join(got, " "); s != c.want {
				t.Errorf("%s, want %s", s, c.want)
			}
		})
	}
}

func TestWhatTheBrowserRemembersOfALogin(t *testing.T) {
	for want, res := range map[string]authn.Result{
		"form":             {AMR: []string{policy.AMRPassword}},
		"ticket":           {AMR: policy.Combined([]string{policy.AMRTicket}, []string{policy.AMROneTime})},
		"passkey":          {AMR: []string{policy.AMRPasskey, policy.AMRUserVerified}},
		"upstream:partner": {AMR: []string{policy.AMRPassword}, Upstream: store.UpstreamSession{ID: "partner"}},
	} {
		if got := methodOf(&res); got != want {
			t.Errorf("%v is remembered as %q, want %q", res.AMR, got, want)
		}
	}
	second := authn.Result{AMR: policy.Combined([]string{policy.AMRPassword}, []string{policy.AMRPasskey})}
	if got := methodOf(&second); got != "form" {
		t.Errorf("a passkey that was added to a password is remembered as %q", got)
	}
}
