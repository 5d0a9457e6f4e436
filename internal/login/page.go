package login

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"idp/internal/authn"
	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/web"
)

// page renders the login page, as an answer of its own or as a 401's body.
func (l *Login) page(w http.ResponseWriter, r *http.Request, status int, a *attempt, code reason.Code) error {
	p := web.LoginPage{
		Action: policy.PathForm, FormToken: l.Sessions.FormToken(a.browser, formPurpose),
		Notice: notice(code, web.InfoFrom(r.Context()).Method == authn.MethodTicket), Reference: reference(r), Upstreams: l.buttons(a),
	}
	if err := l.offerToRemember(r, &p); err != nil {
		return err
	}
	offered := l.offered(a)
	if offered {
		p.TicketURL, p.NoTicketOffer = stepPath(policy.PathNegotiate, a.row), !a.browser.NoTicket
	}
	if a.row != nil {
		if err := l.known(r, a, &p, code); err != nil {
			return err
		}
	}
	var err error
	if p.Passkey, err = l.passkeyAlone(a, p.FormToken); err != nil {
		return err
	}
	h := hints{last: a.browser.Method, typed: a.typed != "" || (a.row != nil && a.row.Username != "")}
	if wantsAnother(r, a) || (h.last == ticketUsed && (a.browser.NoTicket || status != http.StatusOK || code != "")) {
		h.last = "" // somebody else's; or a ticket that is not wanted, or has just been asked for
	}
	p.Methods = arrange(p, h)
	p.Passkey.Stand(p.Methods)
	name := "login"
	if wantsNewPassword(code) {
		name, p.OtherURL = "newpassword", otherURL(a)
	}
	return l.Pages.Render(w, r, status, name, p)
}

// known fills in what the login request knows: who asks, who is being logged in, what
// went wrong before.
func (l *Login) known(r *http.Request, a *attempt, p *web.LoginPage, code reason.Code) error {
	if a.row.Reference != "" && code == reason.Code(a.row.Reason) {
		p.Reference = a.row.Reference // of the request that failed, not of this one that says so
	}
	p.LoginID, p.Site = a.row.ID, l.Site(r.Context(), a.row.ClientID, redirectOf(a.row))
	if wantsAnother(r, a) {
		return nil
	}
	p.Username = cmp.Or(a.typed, a.row.Username, a.row.LoginHint)
	if a.row.Fresh {
		current, err := l.current(r)
		if err != nil {
			return err
		}
		if current != nil {
			p.SignedInAs = current.User.Name // who must show that they are still there
		}
	}
	if p.Username != "" || p.SignedInAs != "" {
		p.OtherURL = otherURL(a)
	}
	return nil
}

// wantsAnother: the visitor is not the one whom the page took them for, or the site
// wants them to say who they are (prompt=select_account, OIDC Core §3.1.2.1).
func wantsAnother(r *http.Request, a *attempt) bool {
	if r.Method == http.MethodGet && r.URL.Query().Has("other") {
		return true
	}
	return a.row != nil && a.row.Reason == "" && slices.Contains(strings.Fields(paramOf(a.row, "prompt")), "select_account")
}

// otherURL is the page without the name of anybody.
func otherURL(a *attempt) string {
	if a.row == nil {
		return policy.PathForm
	}
	return formPath(a.row) + "&other=1"
}
