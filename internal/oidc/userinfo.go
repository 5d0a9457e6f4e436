package oidc

import (
	"errors"
	"net/http"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/keys"
	"idp/internal/oidc/clientauth"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/standing"
	"idp/internal/oidc/tokens"
	"idp/internal/oidc/wire"
	"idp/internal/store"
	"idp/internal/web"
)

// ServeUserinfo answers the userinfo endpoint (OIDC Core §5.3), by GET and POST,
// in JSON or, for clients registered so, as a signed JWT.
func (p *Provider) ServeUserinfo(w http.ResponseWriter, r *http.Request) error {
	if wire.AnyOrigin(w, r, "GET, POST") {
		return nil
	}
	wire.NextNonce(w, p.auth.NextNonce(r))
	token, scheme, err := shownToken(r)
	if err != nil {
		return malformed(err)
	}
	claims, err := p.tokens.ReadAccess(token)
	if err != nil {
		return badToken(err)
	}
	if err := p.checkScheme(r, token, scheme, claims); err != nil {
		return err
	}
	web.InfoFrom(r.Context()).ClientID = claims.ClientID
	if claims.Audience != p.Issuer {
		return badToken(errors.New("the token is for another audience"))
	}
	if claims.Grant == "" {
		return noScope()
	}
	now, err := p.standing.OfToken(r.Context(), claims)
	if errors.Is(err, store.ErrNotFound) {
		return badToken(err)
	}
	if err != nil {
		return err
	}
	if !clients.HasScope(now.Scope, protocol.ScopeOpenID) {
		return noScope()
	}
	web.InfoFrom(r.Context()).User = now.User.Name
	body, err := p.userinfo(now)
	if err != nil {
		return err
	}
	if now.Client.UserinfoAlg == "" {
		wire.WriteJSON(w, http.StatusOK, body)
		return nil
	}
	signed, err := p.Keys.Sign(now.Client.UserinfoAlg, keys.TypeUserinfo, body)
	if err != nil {
		return err
	}
	wire.WriteJWT(w, http.StatusOK, signed)
	return nil
}

// userinfo returns the claims. Where they will be signed they say who tells them to
// whom (OIDC Core §5.3.2).
func (p *Provider) userinfo(now *standing.State) ([]byte, error) {
	asked, err := tokens.ReadAskedClaims(now.Grant.Claims)
	if err != nil {
		return nil, err
	}
	o := wire.NewObject(512)
	if now.Client.UserinfoAlg != "" {
		o.Text("iss", p.Issuer)
		o.Text("aud", now.Client.ClientID)
	}
	o.Text("sub", now.User.ID)
	p.tokens.AppendUser(&o, now.User, now.Client, now.Scope, asked.Userinfo)
	return o.Close(), nil
}

// shownToken finds the access token in the header or a posted form, by one way
// only and never in the URL (RFC 6750 §2, §5.3), and the scheme it came by: DPoP
// or, in a form too, Bearer.
func shownToken(r *http.Request) (token, scheme string, err error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		return "", "", wire.Failure{Status: http.StatusMethodNotAllowed, Allow: "GET, POST", Err: protocol.ErrInvalidRequest()}
	}
	scheme, token, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	scheme, inHeader := tokenScheme(scheme)
	if r.Method == http.MethodPost && wire.IsForm(r.Header.Get("Content-Type")) {
		ps, err := wire.PostedParams(r)
		if err != nil {
			return "", "", err
		}
		if posted := ps["access_token"]; posted != "" {
			if inHeader {
				return "", "", protocol.ErrInvalidRequest().WithDescription("the access token comes twice")
			}
			return posted, protocol.BearerToken, nil
		}
	}
	if len(r.Header["Authorization"]) > 1 {
		return "", "", protocol.ErrInvalidRequest().WithDescription("more than one Authorization header")
	}
	if !inHeader || token == "" {
		return "", "", noToken(`Bearer realm="userinfo"`, clientauth.DPoPChallenge(""))
	}
	return strings.TrimSpace(token), scheme, nil
}

// tokenScheme returns the name of a scheme that access tokens come by, whatever
// its case.
func tokenScheme(scheme string) (name string, ok bool) {
	for _, name := range []string{protocol.BearerToken, wire.TokenTypeDPoP} {
		if strings.EqualFold(scheme, name) {
			return name, true
		}
	}
	return "", false
}

// checkScheme: a bound token is worth nothing without its key's proof, and must
// not be taken as a bearer token; a bearer token does not become better by being
// called bound (RFC 9449 §7.1, §7.2).
func (p *Provider) checkScheme(r *http.Request, token, scheme string, claims *tokens.AccessClaims) error {
	switch jkt := claims.Confirmation.JKT; {
	case jkt != "" && scheme != wire.TokenTypeDPoP:
		return badToken(errors.New("the token is bound to a DPoP key and came as a bearer token"))
	case jkt == "" && scheme == wire.TokenTypeDPoP:
		return badToken(errors.New("the token is not bound to a DPoP key"))
	case jkt == "":
		return nil
	}
	client, err := p.Clients.ByID(r.Context(), claims.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		return badToken(err)
	}
	if err != nil {
		return err
	}
	return p.auth.ResourceProof(r, pathUserinfo, client, token, claims.Confirmation.JKT)
}

// noToken: who shows no token is told how to, and of no error (RFC 6750 §3.1).
func noToken(challenges ...string) error {
	return wire.Failure{Status: http.StatusUnauthorized, Challenges: challenges, Silent: true,
		Err: &protocol.Error{ErrorType: wire.InvalidToken, Description: "no access token"}}
}

// malformed adds what a request has to look like to an error that says that this
// one does not (RFC 6750 §3).
func malformed(err error) error {
	f := wire.AsFailure(err)
	if f.Status == http.StatusBadRequest {
		f.Challenges = []string{`Bearer realm="userinfo", error="invalid_request"`, clientauth.DPoPChallenge(string(protocol.InvalidRequest))}
	}
	return f
}

func badToken(cause error) error {
	return wire.Failure{Status: http.StatusUnauthorized, Challenges: []string{`Bearer realm="userinfo", error="invalid_token"`, clientauth.DPoPChallenge(wire.InvalidToken)},
		Err: &protocol.Error{ErrorType: wire.InvalidToken, Description: "the access token is not valid", Parent: cause}}
}

func noScope() error {
	return wire.Failure{Status: http.StatusForbidden, Challenges: []string{`Bearer realm="userinfo", error="insufficient_scope", scope="openid"`},
		Err: &protocol.Error{ErrorType: wire.InsufficientScope, Description: "scope openid is needed"}}
}
