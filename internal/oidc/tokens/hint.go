package tokens

import (
	"encoding/json"
	"errors"

	"idp/internal/keys"
)

// Hint is what an ID token of ours says that comes back as id_token_hint.
type Hint struct {
	Issuer    string `json:"iss"`
	Subject   string `json:"sub"`
	Audience  string `json:"aud"`
	SessionID string `json:"sid"`
	Expires   int64  `json:"exp"` // which a signed userinfo response has not
}

// ReadHint verifies an ID token of ours; it may have expired (RP-Initiated
// Logout §4), but not longer ago than its key is published.
func (t *Tokens) ReadHint(token string) (*Hint, error) {
	raw, typ, err := t.Keys.Verify(token, keys.Algorithms...)
	if err != nil {
		return nil, err
	}
	h := &Hint{}
	if err := json.Unmarshal(raw, h); err != nil {
		return nil, err
	}
	if typ != keys.TypeIDToken || h.Issuer != t.Issuer || h.Subject == "" || h.Expires == 0 {
		return nil, errors.New("id_token_hint is not an ID token of this issuer")
	}
	return h, nil
}
