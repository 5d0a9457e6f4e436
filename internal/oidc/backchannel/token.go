package backchannel

import (
	"encoding/json"
	"time"

	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/secret"
	"idp/internal/store"
)

// tokenLifetime is how long a logout token is good: two minutes at most (§4).
const tokenLifetime = 2 * time.Minute

// event is what a logout token says has happened (§2.4).
const event = "http://schemas.openid.net/event/backchannel-logout"

// logoutToken is the claims of a logout token (§2.4). It has sub and sid both: a
// relying party that looks at sid alone ends that one session, and one that keeps
// no sid finds its user. A nonce is forbidden, lest it pass for an ID token.
type logoutToken struct {
	Issuer    string              `json:"iss"`
	Subject   string              `json:"sub"`
	Audience  string              `json:"aud"`
	IssuedAt  int64               `json:"iat"`
	ExpiresAt int64               `json:"exp"`
	ID        string              `json:"jti"`
	SessionID string              `json:"sid"`
	Events    map[string]struct{} `json:"events"`
}

// token signs a logout token as the relying party's ID tokens are signed (§2.6).
// Every attempt has one of its own: the last one may have expired.
func (b *Backchannel) token(c *store.Client, d store.LogoutDelivery) (string, error) {
	now := b.Store.Now() / 1000
	claims, err := json.Marshal(logoutToken{
		Issuer: b.Issuer, Subject: d.UserID, Audience: c.ClientID, SessionID: d.SessionID,
		IssuedAt: now, ExpiresAt: now + int64(tokenLifetime/time.Second), ID: secret.ID(), Events: map[string]struct{}{event: {}},
	})
	if err != nil {
		return "", err
	}
	return b.Keys.Sign(clients.IDTokenAlg(c), keys.TypeLogoutToken, claims)
}
