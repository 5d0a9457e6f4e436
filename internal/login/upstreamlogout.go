package login

import (
	"errors"
	"net/http"
	"strconv"

	"idp/internal/audit"
	"idp/internal/reason"
	"idp/internal/store"
	"idp/internal/web"
)

// ServeUpstreamLogout answers POST /upstream/{id}/logout: the upstream says that somebody
// has signed out there (OIDC Back-Channel Logout §2.5), and what came of it here ends.
// One that we have had already is answered like the first: it has done what it can.
func (l *Login) ServeUpstreamLogout(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Cache-Control", "no-store") // §2.8
	if err := web.ParseForm(w, r); err != nil {
		return err
	}
	u := l.Upstreams.ByID(r.PathValue("id"))
	if u == nil {
		return l.Pages.ServeNotFound(w, r)
	}
	info := web.InfoFrom(r.Context())
	out, err := u.LogoutToken(r.Context(), r.PostForm.Get("logout_token"))
	var refused *reason.Error
	if errors.As(err, &refused) {
		info.Reason, info.Detail = string(refused.Reason), refused.Explain()
		return web.JSON(w, http.StatusBadRequest, map[string]string{"error": "invalid_request"}) // §2.8
	}
	if err != nil {
		return err
	}
	ended, err := l.Store.EndUpstreamSessions(r.Context(), out.From, out.Hash, out.Until, store.Entry{Actor: audit.ActorUpstream + u.ID, Address: info.Client.String(),
		RequestID: info.RequestID, Detail: "signed out at the upstream"})
	info.Detail = "upstream " + u.ID + ": " + strconv.Itoa(ended) + " sessions ended"
	return err
}
