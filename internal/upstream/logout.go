package upstream

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
)

// PathSignedOut is where browsers come back to from an upstream's logout; to be
// registered there as a post-logout redirect URI.
const PathSignedOut = "/end_session/done"

// logoutFor is how long a logout token counts: what its exp may say at most, and how
// long its jti is remembered.
const logoutFor = 10 * time.Minute

// SignsOut reports whether signing out here signs out at the upstream that a session
// came from.
func (us *Upstreams) SignsOut(s store.UpstreamSession) bool {
	u := us.ByID(s.ID)
	return u != nil && u.Logout && s.IDToken != "" && u.Issuer == s.Issuer
}

// LogoutURL is where the browser signs out at the upstream that a session came from
// (OIDC RP-Initiated Logout §2); empty when there is no such place, or it cannot be
// found out now: nobody stays signed in here because of that.
func (us *Upstreams) LogoutURL(ctx context.Context, s store.UpstreamSession, state string) string {
	if !us.SignsOut(s) {
		return ""
	}
	u := us.ByID(s.ID)
	ctx, cancel := context.WithTimeout(ctx, startFor)
	defer cancel()
	m, err := u.about.metadata(ctx)
	if err != nil || m.EndSession == "" {
		return ""
	}
	return withQuery(m.EndSession, url.Values{"id_token_hint": {s.IDToken}, "client_id": {u.ClientID},
		"post_logout_redirect_uri": {u.issuer + PathSignedOut}, "state": {state}})
}

// LoggedOut is whose sessions a logout token ends.
type LoggedOut struct {
	From  store.UpstreamSession // Issuer, and Subject or SID or both
	Hash  []byte                // of what counts once
	Until time.Time             // it is remembered
}

// LogoutToken checks what an upstream sends us when somebody signs out there (OIDC
// Back-Channel Logout §2.6).
func (u *Upstream) LogoutToken(ctx context.Context, raw string) (*LoggedOut, error) {
	ctx, cancel := context.WithTimeout(ctx, finishFor)
	defer cancel()
	m, err := u.about.metadata(ctx)
	if err != nil {
		return nil, given(ctx, "discovery", err)
	}
	t, err := u.signed(ctx, m, raw)
	if err != nil {
		return nil, given(ctx, "logout token", err)
	}
	var claims map[string]any
	if err := t.Claims(&claims); err != nil {
		return nil, invalid("logout token: the claims are no object")
	}
	return u.loggedOut(t, claims)
}

// loggedOut: §2.4 says which claims it has and which it must not have, so that no ID
// token passes for one.
func (u *Upstream) loggedOut(t *oidc.IDToken, claims map[string]any) (*LoggedOut, error) {
	events, _ := claims["events"].(map[string]any)
	_, isObject := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
	_, hasNonce := claims["nonce"]
	jti, now := text(claims, "jti"), u.now()
	sid := text(claims, "sid")
	switch {
	case !isObject:
		return nil, invalid("logout token: the event of a logout is missing")
	case hasNonce:
		return nil, invalid("logout token: it has a nonce")
	case jti == "":
		return nil, invalid("logout token: jti is missing")
	case t.Subject == "" && sid == "":
		return nil, invalid("logout token: it has neither sub nor sid")
	case t.Subject != "" && !plainSubject(t.Subject):
		return nil, invalid("logout token: sub is no text of at most 255 characters of ASCII")
	case t.IssuedAt.Unix() <= 0 || t.IssuedAt.After(now.Add(skew)) || t.IssuedAt.Before(now.Add(-logoutFor)):
		return nil, invalid("logout token: iat is missing, in the future, or older than ten minutes")
	}
	return &LoggedOut{From: store.UpstreamSession{Issuer: u.Issuer, Subject: t.Subject, SID: sid},
		Hash: secret.Hash(secret.String(u.Issuer + "\x00" + jti)), Until: t.IssuedAt.Add(logoutFor + skew)}, nil
}

// Linked is what the token is good for that lets our account page say that a login at
// an upstream was linked, which no link of another site can make it say.
func Linked(id string) string { return "linked\x00" + id }

// Unknown is the error for an upstream that is not configured (any more).
func Unknown(id string) error {
	return reason.Refuse(reason.UpstreamNotAllowed, "no upstream has the id "+strconv.Quote(reason.Short(id)))
}
