package forwardauth

import (
	"encoding/json"
	"time"

	"idp/internal/forwardauth/sites"
	"idp/internal/keys"
	"idp/internal/store"
)

// An assertion lives for a minute, and is given again for half of it: a site's page has
// a hundred parts, and signing costs more than all the rest of an answer. Within a
// second the database's answer is the very same, and what it says need not be put
// together again to find what was signed.
const (
	assertionLife = time.Minute
	assertionKept = assertionLife / 2
	statementKept = time.Second
)

// statement is all that an assertion says but when: user and session are shared by
// whoever asks, and nobody changes them.
type statement struct {
	site    *sites.Site
	user    *store.User
	session *store.Session
	grant   string
}

// claims of an assertion (RFC 7519 §4; RFC 9068 §2.2.1 for how somebody logged in). Its
// audience is the site's host; no other takes it.
type claims struct {
	Issuer    string   `json:"iss"`
	Audience  string   `json:"aud"`
	Subject   string   `json:"sub"`
	Username  string   `json:"preferred_username"`
	Name      string   `json:"name,omitempty"`
	Email     string   `json:"email,omitempty"`
	Verified  bool     `json:"email_verified,omitempty"`
	Groups    []string `json:"groups,omitempty"`
	AuthTime  int64    `json:"auth_time"`
	ACR       string   `json:"acr"`
	AMR       []string `json:"amr"`
	SessionID string   `json:"sid,omitempty"`
	Grant     string   `json:"grant,omitempty"` // by which it can be exchanged (RFC 8693) while the login lasts
	Issued    int64    `json:"iat,omitempty"`
	Expires   int64    `json:"exp,omitempty"`
}

// assertion is the signed statement of who somebody is, for one site.
func (f *ForwardAuth) assertion(s *sites.Site, who *identity, groups []string) (string, error) {
	if who.session == nil {
		return f.signed(s, who, groups)
	}
	same, now := statement{s, who.user, who.session, who.grant}, f.Now()
	if signed, ok := f.stated.get(same, now); ok {
		return signed, nil
	}
	signed, err := f.signed(s, who, groups)
	if err == nil {
		f.stated.put(same, signed, now.Add(statementKept))
	}
	return signed, err
}

func (f *ForwardAuth) signed(s *sites.Site, who *identity, groups []string) (string, error) {
	c := claims{Issuer: f.Issuer.String(), Audience: s.Host, Subject: who.user.ID, Username: who.user.Name, Name: who.user.FullName,
		Email: who.user.Email, Verified: who.user.Email != "" && who.user.EmailVerified, Groups: groups,
		AuthTime: who.authTime / 1000, ACR: who.acr, AMR: who.amr, Grant: who.grant}
	if who.session != nil {
		c.SessionID = who.session.ID
	}
	same, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	now := f.Now()
	if signed, ok := f.assertions.get(string(same), now); ok {
		return signed, nil
	}
	c.Issued, c.Expires = now.Unix(), now.Add(assertionLife).Unix()
	text, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	signed, err := f.Keys.Sign(keys.ES256, keys.TypeAssertion, text)
	if err == nil {
		f.assertions.put(string(same), signed, now.Add(assertionKept))
	}
	return signed, err
}
