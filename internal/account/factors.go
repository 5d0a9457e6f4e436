package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"

	"idp/internal/factor"
	"idp/internal/policy"
	"idp/internal/store"
	"idp/internal/web"
)

// The factors of the person: a list, and behind each link a page that changes
// something. Reading takes a login; changing takes one of a moment ago, by their own
// doing, and by a factor where there is one already. A form that was left open for
// longer leads to its page again, which asks for that.

// PathFactors is where the factors are; what changes them is below.
const (
	PathFactors    = "/account/factors"
	pathApp        = PathFactors + "/app"
	pathRecovery   = PathFactors + "/recovery"
	pathChange     = PathFactors + "/change/" // and the id
	factorsPurpose = "factors"                // of the forms' tokens
	newAppName     = "Authenticator app"
	maxName        = 64 // characters of what a factor is called
)

// said is what the list says of what was done a moment ago.
var said = map[string]web.Notice{
	"added":   {Kind: "info", Title: "Your app is set up", Text: "From now on you are asked for a code when you have typed your password."},
	"passkey": {Kind: "info", Title: "Your passkey is set up", Text: "From now on it logs you in."},
	"renamed": {Kind: "info", Title: "Renamed"},
	"removed": {Kind: "info", Title: "Removed", Text: "It logs nobody in any more. You are signed out in all other browsers."},
}

// ServeFactors answers GET /account/factors: what the person has.
func (a *Account) ServeFactors(w http.ResponseWriter, r *http.Request) error {
	v, err := a.visitor(w, r)
	if err != nil || v == nil {
		return err
	}
	have, err := a.Factors.Of(r.Context(), v.User.ID)
	if err != nil {
		return err
	}
	p := web.FactorsPage{PasskeyURL: a.passkeyURL(), User: v.User.Name, Recovery: have.Recovery, AppURL: pathApp, RecoveryURL: pathRecovery, Notice: a.said(r, v)}
	p.AccountFrame = frame(v, PathFactors)
	for _, f := range have.All {
		p.Factors = append(p.Factors, shown(f))
	}
	return a.Pages.Render(w, r, http.StatusOK, "securityfactors", p)
}

// shown is a factor as its person sees it.
func shown(f store.Factor) web.Factor {
	out := web.Factor{URL: pathChange + url.PathEscape(f.ID), Name: f.Name, Kind: "Authenticator app", Since: time.UnixMilli(f.CreatedAt)}
	if f.Kind == store.FactorPasskey {
		out.Kind = passkeyKind(&f)
	}
	out.Name = cmp.Or(out.Name, out.Kind)
	if f.UsedAt != 0 {
		out.Used = time.UnixMilli(f.UsedAt)
	}
	return out
}

// changing is confirmed for the pages and forms that change factors.
func (a *Account) changing(w http.ResponseWriter, r *http.Request) (*visit, factor.Have, error) {
	v, err := a.visit(w, r)
	if err != nil {
		return nil, factor.Have{}, err
	}
	if r.Method != http.MethodGet && v.Current == nil {
		return nil, factor.Have{}, web.Redirect(w, r, http.StatusSeeOther, r.URL.Path)
	}
	var have factor.Have
	need := ""
	if v.Current != nil {
		if have, err = a.Factors.Of(r.Context(), v.User.ID); err != nil {
			return nil, have, err
		}
		if have.Any() {
			need = policy.ACRMultiFactor
		}
	}
	if r.Method == http.MethodGet {
		v, err = a.confirmed(w, r, need)
		return v, have, err
	}
	switch {
	case !a.Policy.Enough(v.Session, v.User, "", v.from) || !a.confirms(v.Session) || !policy.Reaches(v.Session.ACR, need):
		return nil, have, web.Redirect(w, r, http.StatusSeeOther, r.URL.Path) // which asks for what is missing
	case !a.Sessions.CheckFormToken(v.browser, factorsPurpose, r.PostForm.Get("form_token")):
		return nil, have, web.FormExpired()
	}
	return v, have, nil
}

// submitted is changing for a form.
func (a *Account) submitted(w http.ResponseWriter, r *http.Request) (*visit, factor.Have, error) {
	if err := web.ParseForm(w, r); err != nil {
		return nil, factor.Have{}, err
	}
	return a.changing(w, r)
}

// said is the notice of what was done a moment ago; nil: nothing was.
func (a *Account) said(r *http.Request, v *visit) *web.Notice {
	if n, ok := said[a.done(r, v)]; ok {
		return &n
	}
	return nil
}

// ServeFactor answers GET /account/factors/change/{id}: rename or remove one.
func (a *Account) ServeFactor(w http.ResponseWriter, r *http.Request) error {
	v, have, err := a.changing(w, r)
	if err != nil || v == nil {
		return err
	}
	f, ok := one(have, r.PathValue("id"))
	if !ok {
		return a.Pages.ServeNotFound(w, r)
	}
	return a.Pages.Render(w, r, http.StatusOK, "securityfactor", web.FactorChangePage{
		FormToken: a.Sessions.FormToken(v.browser, factorsPurpose), BackURL: PathFactors, User: v.User.Name,
		Factor: shown(f), Last: len(have.All) == 1, Needed: a.needed(v, have),
	})
}

// needed: the rules want a factor, and this is the last one. Without it, whoever knows
// the password would set up the next.
func (a *Account) needed(v *visit, have factor.Have) bool {
	return len(have.All) == 1 && policy.Reaches(a.Policy.Required(v.User, "", "", v.from), policy.ACRMultiFactor)
}

func one(have factor.Have, id string) (store.Factor, bool) {
	for _, f := range have.All {
		if f.ID == id {
			return f, true
		}
	}
	return store.Factor{}, false
}

// ServeFactorChange answers POST /account/factors/change/{id}.
func (a *Account) ServeFactorChange(w http.ResponseWriter, r *http.Request) error {
	v, have, err := a.submitted(w, r)
	if err != nil || v == nil {
		return err
	}
	id := r.PathValue("id")
	what := "renamed"
	switch {
	case r.PostForm.Has("remove") && a.needed(v, have):
		return web.Redirect(w, r, http.StatusSeeOther, r.URL.Path) // which says so
	case r.PostForm.Has("remove"):
		what, err = "removed", a.Store.RemoveFactor(r.Context(), v.User.ID, id, v.entry())
	case nameOf(r) == "":
		return web.Redirect(w, r, http.StatusSeeOther, r.URL.Path)
	default:
		err = a.Store.RenameFactor(r.Context(), v.User.ID, id, nameOf(r))
	}
	if errors.Is(err, store.ErrNotFound) { // sent twice, or removed elsewhere
		return web.Redirect(w, r, http.StatusSeeOther, PathFactors)
	}
	if err != nil {
		return err
	}
	return a.sendBack(w, r, v, PathFactors, what)
}

// nameOf is what somebody wants to call a factor.
func nameOf(r *http.Request) string {
	name := []rune(strings.TrimSpace(strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) {
			return c
		}
		return -1
	}, r.PostForm.Get("name"))))
	return string(name[:min(len(name), maxName)])
}

// setupOf is what a page shows of an offer.
func setupOf(o factor.Offer) (web.FactorSetupPage, error) {
	q, err := o.QR()
	return web.FactorSetupPage{QR: q.Path, QRSize: q.Size, Key: o.Key(), URI: template.URL(o.URI()), Own: true}, err //nolint:gosec // made by us
}

// factorsCard tells what the person has beside their password.
func (a *Account) factorsCard(ctx context.Context, v *visit) (web.AccountCard, error) {
	have, err := a.Factors.Of(ctx, v.User.ID)
	c := web.AccountCard{Title: "Second step", URL: PathFactors, Link: "Change your second step"}
	switch {
	case len(have.All) == 0:
		c.State, c.Link, c.Text = "You have none", "Set one up", "With one, nobody gets in who has only got hold of your password."
	case len(have.All) == 1:
		c.State = shown(have.All[0]).Name
	default:
		c.State = fmt.Sprintf("You have %d", len(have.All))
	}
	if have.Any() && have.Recovery < fewCodes {
		c.Lacks, c.Text = true, "Few recovery codes are left: make new ones, for the day on which your phone is lost."
	}
	return c, err
}

// fewCodes are so few recovery codes that it is time for new ones.
const fewCodes = 3
