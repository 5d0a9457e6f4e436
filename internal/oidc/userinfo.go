package oidc

import (
	"errors"
	"net/http"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/store"
	"idp/internal/web"
)

// ServeUserinfo answers the userinfo endpoint (OIDC Core §5.3), by GET and POST.
func (p *Provider) ServeUserinfo(w http.ResponseWriter, r *http.Request) error {
	if anyOrigin(w, r, "GET, POST") {
		return nil
	}
	token, err := bearer(r)
	if err != nil {
		return err
	}
	claims, err := p.readAccessToken(token)
	if err != nil {
		return badToken(err)
	}
	web.InfoFrom(r.Context()).ClientID = claims.ClientID
	if claims.Audience != p.Issuer {
		return badToken(errors.New("the token is for another audience"))
	}
	if claims.Grant == "" || !clients.HasScope(claims.Scope, protocol.ScopeOpenID) {
		return noScope()
	}
	body, err := p.userinfo(r, claims)
	if errors.Is(err, store.ErrNotFound) {
		return badToken(err)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, body)
	return nil
}

func (p *Provider) userinfo(r *http.Request, claims *accessClaims) ([]byte, error) {
	user, err := p.tokenState(r.Context(), claims)
	if err != nil {
		return nil, err
	}
	client, err := p.Clients.ByID(r.Context(), claims.ClientID)
	if err != nil {
		return nil, err
	}
	web.InfoFrom(r.Context()).User = user.Name
	o := newObject(512)
	o.text("sub", user.ID)
	p.appendUser(&o, user, client, claims.Scope)
	return o.close(), nil
}

// bearer finds the access token in the header or a posted form, by one way only
// and never in the URL (RFC 6750 §2, §5.3).
func bearer(r *http.Request) (string, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Method != http.MethodPost {
		return "", failure{status: http.StatusMethodNotAllowed, allow: "GET, POST", err: protocol.ErrInvalidRequest()}
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	inHeader := strings.EqualFold(scheme, protocol.BearerToken)
	if r.Method == http.MethodPost && isForm(r.Header.Get("Content-Type")) {
		ps, err := formParams(r)
		if err != nil {
			return "", err
		}
		if posted := ps["access_token"]; posted != "" {
			if inHeader {
				return "", protocol.ErrInvalidRequest().WithDescription("the access token comes twice")
			}
			return posted, nil
		}
	}
	if !inHeader || token == "" || len(r.Header["Authorization"]) > 1 {
		// RFC 6750 §3.1: no error code when the request holds no token.
		return "", failure{status: http.StatusUnauthorized, challenge: `Bearer realm="userinfo"`,
			err: &protocol.Error{ErrorType: invalidToken, Description: "no access token"}}
	}
	return strings.TrimSpace(token), nil
}

func badToken(cause error) error {
	return failure{status: http.StatusUnauthorized, challenge: `Bearer realm="userinfo", error="invalid_token"`,
		err: &protocol.Error{ErrorType: invalidToken, Description: "the access token is not valid", Parent: cause}}
}

func noScope() error {
	return failure{status: http.StatusForbidden, challenge: `Bearer realm="userinfo", error="insufficient_scope", scope="openid"`,
		err: &protocol.Error{ErrorType: insufficientScope, Description: "scope openid is needed"}}
}
