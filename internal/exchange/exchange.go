// Package exchange gets a token from an issuer for a Kerberos ticket, as the program
// that wants to use the token (docs/token-exchange.md): token exchange, RFC 8693, with
// the ticket in "Authorization: Negotiate", RFC 4559.
//
// The ticket goes to the issuer's own host and nowhere else: the token endpoint that
// discovery names has to be there, no redirect is followed, and nothing but https
// leaves this machine. The token is believed once the server has proved, in the same
// answer, that it could open the ticket.
package exchange

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"idp/internal/kerberos"
	"idp/internal/kerberos/ticket"
	"idp/internal/secret"
)

// The grant and the subject token, RFC 8693 §2.1, §3.
const (
	grantType  = "urn:ietf:params:oauth:grant-type:token-exchange"
	ticketType = "urn:idp:params:oauth:token-type:kerberos"
)

// Request is what is asked for.
type Request struct {
	Issuer       string
	Audience     string
	ClientID     string
	ClientSecret secret.String // empty: the client has none
	Scope        string        // empty: all that the client is registered for
}

// Answer is a token response, RFC 8693 §2.2.1.
type Answer struct {
	AccessToken string
	JSON        []byte // the whole of it
}

// Refused is the server's error response, RFC 6749 §5.2.
type Refused struct{ Code, Description string }

// Error implements error.
func (r *Refused) Error() string { return fmt.Sprintf("the server says %s: %s", r.Code, r.Description) }

// Token gets one. Errors are *Refused, *reason.Error where Kerberos failed
// (NOT_GENUINE: the server did not prove itself), or plain.
func Token(ctx context.Context, tickets *ticket.Tickets, r Request) (*Answer, error) {
	issuer, err := checkIssuer(r.Issuer)
	if err != nil {
		return nil, err
	}
	c := newClient()
	endpoint, cert, err := c.discover(ctx, issuer)
	if err != nil {
		return nil, err
	}
	var endPoint []byte
	if cert != nil {
		endPoint = kerberos.EndPointHash(cert)
	}
	x, err := tickets.Exchange(ctx, strings.ToLower(issuer.Hostname()), endPoint)
	if err != nil {
		return nil, err
	}
	res, err := c.post(ctx, endpoint, r.form(), "Negotiate "+base64.StdEncoding.EncodeToString(x.Token))
	if err != nil {
		return nil, err
	}
	if res.status != http.StatusOK {
		return nil, refused(res)
	}
	if err := x.Verify(negotiated(res.header)); err != nil {
		return nil, err
	}
	return read(res.body)
}

func (r Request) form() url.Values {
	form := url.Values{"grant_type": {grantType}, "subject_token_type": {ticketType}, "audience": {r.Audience}, "client_id": {r.ClientID}}
	if r.ClientSecret != "" {
		form.Set("client_secret", r.ClientSecret.Reveal())
	}
	if r.Scope != "" {
		form.Set("scope", r.Scope)
	}
	return form
}

// negotiated is the server's token, RFC 4559 §5; nil if there is none.
func negotiated(h http.Header) []byte {
	for _, v := range h.Values("WWW-Authenticate") {
		scheme, value, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "negotiate") {
			continue
		}
		if token, err := base64.StdEncoding.DecodeString(strings.TrimSpace(value)); err == nil {
			return token
		}
	}
	return nil
}

// refused reads an error response. Its words are a stranger's.
func refused(res *response) error {
	var said struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(res.body, &said); err != nil || said.Error == "" {
		return fmt.Errorf("the token endpoint answers %d, and not as OAuth does: is it an issuer, and not a proxy or another site?", res.status)
	}
	return &Refused{Code: printable(said.Error), Description: printable(said.Description)}
}

// read reads a token response.
func read(body []byte) (*Answer, error) {
	var said struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &said); err != nil || said.AccessToken == "" || printable(said.AccessToken) != said.AccessToken {
		return nil, errors.New("the server's answer holds no access token")
	}
	return &Answer{AccessToken: said.AccessToken, JSON: body}, nil
}
