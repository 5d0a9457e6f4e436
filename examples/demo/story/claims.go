package story

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// claims are of the ID token and of userinfo, as a site verified them.
type claims struct {
	Issuer   string   `json:"iss"`
	Audience audience `json:"aud"`
	Subject  string   `json:"sub"`
	Name     string   `json:"preferred_username"`
	AMR      []string `json:"amr"`
	ACR      string   `json:"acr"`
	AuthTime int64    `json:"auth_time"`
	Expires  int64    `json:"exp"`
}

// audience is one text or a list of them (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// whoAmI asks a site who it believes the browser with this jar to be.
func (t *teller) whoAmI(ctx context.Context, jar, site string) (*claims, error) {
	w, err := t.fetch(ctx, []string{"-b", jar}, site+"/whoami")
	if err != nil {
		return nil, err
	}
	var answer struct {
		IDToken  claims `json:"id_token"`
		UserInfo claims `json:"userinfo"`
	}
	if err := json.Unmarshal([]byte(w.body), &answer); err != nil {
		return nil, fmt.Errorf("%s/whoami: %w", site, err)
	}
	c := answer.IDToken
	c.Name = answer.UserInfo.Name
	return &c, nil
}

// tell prints the claims with what they mean.
func (t *teller) tell(c *claims) {
	for _, row := range [][3]string{
		{"iss", c.Issuer, "who says so"},
		{"aud", strings.Join(c.Audience, " "), "to whom"},
		{"sub", c.Subject, "about whom; stable, never reused"},
		{"preferred_username", c.Name, "the name people know (from userinfo)"},
		{"amr", strings.Join(c.AMR, " "), "how it was proved: " + proof(c.AMR)},
		{"acr", c.ACR, "how strongly: 1 is one factor"},
		{"auth_time", time.Unix(c.AuthTime, 0).Format(time.DateTime), "when"},
	} {
		fmt.Fprintf(t.Out, "        %-19s %-36s %s\n", row[0], row[1], row[2])
	}
}

func proof(amr []string) string {
	if slices.Contains(amr, "wia") {
		return "a Kerberos ticket"
	}
	return "a password"
}

// loggedIn checks that a site knows the person, and how it was proved.
func (t *teller) loggedIn(ctx context.Context, w *walk, jar, site, clientID, name, amr string) (*claims, error) {
	t.check(w.last().status == 200 && strings.HasPrefix(w.url, site+"/"), "%s's own page came (200)", clientID)
	if w.last().status != 200 || !strings.HasPrefix(w.url, site+"/") {
		return &claims{}, nil
	}
	c, err := t.whoAmI(ctx, jar, site)
	if err != nil {
		return nil, err
	}
	t.tell(c)
	t.check(c.Issuer == t.Issuer && slices.Equal(c.Audience, audience{clientID}), "%s verified the ID token: our issuer, made for %s", clientID, clientID)
	t.check(c.Name == name && c.Subject != "" && c.Subject != name, "it is about %s", name)
	t.check(slices.Equal(c.AMR, []string{amr}) && c.ACR == "1", "it was proved by %s (amr %s, acr 1)", proof([]string{amr}), amr)
	return c, nil
}
