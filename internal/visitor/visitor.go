// Package visitor is what all who answer HTTP say alike to package authn, which knows no
// HTTP, and to whoever asked: where a request comes from, the tokens of one exchange of
// tickets after each other, and where a login goes on.
package visitor

import (
	"errors"
	"net/http"

	"idp/internal/policy"
	"idp/internal/store"
	"idp/internal/useragent"
	"idp/internal/web"
)

// At is where a request for a relying party comes from, for the rules: they look at the
// address. clientID is empty where the request is for none.
func At(r *http.Request, clientID string) policy.From {
	info := web.InfoFrom(r.Context())
	return policy.From{Address: info.Client, Outside: info.Outside, RequestID: info.RequestID, ClientID: clientID}
}

// From is At with what the browser says it is, for what is written down. That costs more
// to find out than the rest, and forward auth is asked at every picture of a page.
func From(r *http.Request, clientID string) policy.From {
	from := At(r, clientID)
	from.Agent = useragent.Identify(r.Header).String()
	return from
}

// SendOn sends a visitor to the step that authn.Policy chose for a login request, or says
// why there is none.
func SendOn(w http.ResponseWriter, r *http.Request, step string, err error) error {
	if errors.Is(err, store.ErrTooMany) {
		return web.TooManyRequests(err)
	}
	if err != nil {
		return err
	}
	return web.Redirect(w, r, http.StatusSeeOther, step)
}
