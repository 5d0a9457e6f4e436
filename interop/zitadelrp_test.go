//go:build interop

package interop_test

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	"idp/internal/oidc/rptest"
	"idp/internal/secret"
)

// zitadel is a site of zitadel/oidc's relying party.
func zitadel(t *testing.T, idp *binary, r *registration) {
	t.Helper()
	style := oauth2.AuthStyleInHeader
	if r.Method != "client_secret_basic" {
		style = oauth2.AuthStyleInParams
	}
	options := []rp.Option{rp.WithAuthStyle(style)}
	if r.Key != nil {
		options = append(options, rp.WithJWTProfile(rp.SignerFromKeyAndKeyID(privatePEM(t, r.Key), "rp-"+r.Key.Alg)))
	}
	cookies := httphelper.NewCookieHandler([]byte(rand.Text()), nil, httphelper.WithUnsecure()) // the site has no TLS
	options = append(options, rp.WithHTTPClient(idp.client(t)), rp.WithSigningAlgsFromDiscovery(),
		rp.WithCookieHandler(cookies), rp.WithPKCEFromDiscovery(cookies),
		rp.WithErrorHandler(func(w http.ResponseWriter, _ *http.Request, code, description, _ string) {
			tell(w, nil, errors.New(code+": "+description))
		}),
		rp.WithUnauthorizedHandler(func(w http.ResponseWriter, _ *http.Request, message, _ string) {
			tell(w, nil, errors.New(message))
		}))
	party, err := rp.NewRelyingPartyOIDC(t.Context(), idp.Issuer, r.ID, r.Secret, r.redirectURI(), scopes, options...)
	must(t, err)
	z := &zitadelSite{party: party}
	site := &goSite{
		begin:   rp.AuthURLHandler(secret.ID, party),
		finish:  rp.CodeExchangeHandler(rp.UserinfoCallback(z.arrived), party),
		refresh: z.refresh,
		device:  z.device,
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

// privatePEM is a key as the library reads it.
func privatePEM(t *testing.T, key *rptest.Key) []byte {
	t.Helper()
	var private jose.JSONWebKey
	must(t, private.UnmarshalJSON(key.PrivateJWK()))
	der, err := x509.MarshalPKCS8PrivateKey(private.Key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
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

func (z *zitadelSite) device(ctx context.Context) (any, answered, error) {
	shown, err := rp.DeviceAuthorization(ctx, scopes, z.party, nil)
	return shown, func(ctx context.Context) (any, error) {
		got, err := rp.DeviceAccessToken(ctx, shown.DeviceCode, time.Duration(shown.Interval)*time.Second, z.party)
		if err != nil {
			return nil, err
		}
		claims, err := rp.VerifyTokens[*oidc.IDTokenClaims](ctx, got.AccessToken, got.IDToken, z.party.IDTokenVerifier())
		if err != nil {
			return nil, err
		}
		info, err := rp.Userinfo[*oidc.UserInfo](ctx, got.AccessToken, got.TokenType, claims.Subject, z.party)
		if err != nil {
			return nil, err
		}
		tokens := &oauth2.Token{AccessToken: got.AccessToken, RefreshToken: got.RefreshToken, TokenType: got.TokenType}
		return z.learned(&oidc.Tokens[*oidc.IDTokenClaims]{Token: tokens, IDTokenClaims: claims, IDToken: got.IDToken}, info), nil
	}, err
}

func TestZitadelRP(t *testing.T) { everyMethod(t, zitadel) }

func TestZitadelRPRefusals(t *testing.T) { refusals(t, zitadel, register) }

// The library's assertions have an array as aud.
func TestZitadelRPByItsKey(t *testing.T) {
	var parties []*registration
	for id, algs := range map[string][2]string{"rsa": {"RS256", "PS256"}, "ec": {"ES256", "ES256"}, "ed25519": {"EdDSA", "EdDSA"}} {
		key := rptest.NewKey(t, algs[0])
		parties = append(parties, register(t, registration{ID: id, Method: "private_key_jwt", Alg: algs[1], Key: key, Meta: map[string]any{"jwks": key.JWKS()}}))
	}
	idp := openFor(t, "", parties...)
	for _, r := range parties {
		t.Run(r.ID, func(t *testing.T) {
			zitadel(t, idp, r)
			visit(t, idp, r, webSite(r))
		})
	}
}

func TestZitadelRPOnADevice(t *testing.T) { onADevice(t, zitadel) }
