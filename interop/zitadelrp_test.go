//go:build interop

package interop_test

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"idp/internal/secret"
)

// zitadel is a site of zitadel/oidc's relying party.
func zitadel(t *testing.T, idp *binary, r *registration) {
	t.Helper()
	style := oauth2.AuthStyleInHeader
	if r.Method != "client_secret_basic" {
		style = oauth2.AuthStyleInParams
	}
	cookies := httphelper.NewCookieHandler([]byte(rand.Text()), nil, httphelper.WithUnsecure()) // the site has no TLS
	party, err := rp.NewRelyingPartyOIDC(t.Context(), idp.Issuer, r.ID, r.Secret, r.redirectURI(), scopes,
		rp.WithHTTPClient(idp.client(t)), rp.WithAuthStyle(style), rp.WithSigningAlgsFromDiscovery(),
		rp.WithCookieHandler(cookies), rp.WithPKCEFromDiscovery(cookies),
		rp.WithErrorHandler(func(w http.ResponseWriter, _ *http.Request, code, description, _ string) {
			tell(w, nil, errors.New(code+": "+description))
		}),
		rp.WithUnauthorizedHandler(func(w http.ResponseWriter, _ *http.Request, message, _ string) {
			tell(w, nil, errors.New(message))
		}))
	must(t, err)
	z := &zitadelSite{party: party}
	site := &goSite{
		begin:   rp.AuthURLHandler(secret.ID, party),
		finish:  rp.CodeExchangeHandler(rp.UserinfoCallback(z.arrived), party),
		refresh: z.refresh,
		// The library sends the logout request itself: the browser goes on from
		// where the answer leads.
		signOut: func(ctx context.Context) (string, error) {
			to, err := rp.EndSession(ctx, party, z.tokens.IDToken, r.URL+"/signed-out", "bye", "", nil)
			if err != nil {
				return "", err
			}
			return to.String(), nil
		},
	}
	site.serve(t, r)
}

type zitadelSite struct {
	party  rp.RelyingParty
	tokens *oidc.Tokens[*oidc.IDTokenClaims]
}

func (z *zitadelSite) arrived(w http.ResponseWriter, _ *http.Request, tokens *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, info *oidc.UserInfo) {
	tell(w, z.learned(tokens, info), nil)
}

func (z *zitadelSite) learned(tokens *oidc.Tokens[*oidc.IDTokenClaims], info *oidc.UserInfo) any {
	z.tokens = tokens
	return map[string]any{"id_token": tokens.IDToken, "access_token": tokens.AccessToken, "userinfo": info}
}

func (z *zitadelSite) refresh(ctx context.Context) (any, error) {
	tokens, err := rp.RefreshTokens[*oidc.IDTokenClaims](ctx, z.party, z.tokens.RefreshToken, "", "")
	if err != nil {
		return nil, err
	}
	info, err := rp.Userinfo[*oidc.UserInfo](ctx, tokens.AccessToken, tokens.TokenType, tokens.IDTokenClaims.Subject, z.party)
	if err != nil {
		return nil, err
	}
	return z.learned(tokens, info), nil
}

func TestZitadelRP(t *testing.T) { everyMethod(t, zitadel) }

func TestZitadelRPRefusals(t *testing.T) { refusals(t, zitadel, register) }
