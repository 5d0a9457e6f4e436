// Package bearer lets a back end know who asks: it verifies the access token that comes
// with each request, by the keys that discovery names. This is the part to copy.
//
// A token is a JWT of RFC 9068: of this issuer, for this back end (`aud`) and nobody
// else, of the type at+jwt, not expired. What it may do is its `scope`.
package bearer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

// algorithms are those that we let sign access tokens. `none` and those with a shared
// secret must not be among them.
var algorithms = []string{oidc.ES256, oidc.RS256}

// Verifier verifies access tokens for one audience. It may be used concurrently.
type Verifier struct{ oidc *oidc.IDTokenVerifier }

// New asks the issuer for its keys; the audience is the `resource` that this back end
// is at the issuer. ctx must live as long as the Verifier.
func New(ctx context.Context, issuer, audience string) (*Verifier, error) {
	provider, err := oidc.NewProvider(ctx, issuer)
	if err != nil {
		return nil, err
	}
	return &Verifier{provider.VerifierContext(ctx, &oidc.Config{ClientID: audience, SupportedSigningAlgs: algorithms})}, nil
}

// Caller is who asks.
type Caller struct {
	Subject string `json:"sub"`       // the person, or the client itself
	Client  string `json:"client_id"` // the program that acts
	Scope   string `json:"scope"`     // separated by spaces

	raw json.RawMessage
}

// May reports whether the token has a scope.
func (c *Caller) May(scope string) bool { return slices.Contains(strings.Fields(c.Scope), scope) }

// Claims reads more claims of the token into what v points to.
func (c *Caller) Claims(v any) error { return json.Unmarshal(c.raw, v) }

// errNoToken: the request has no token at all.
var errNoToken = errors.New("no access token")

// Verify returns who sends a request.
func (v *Verifier) Verify(r *http.Request) (*Caller, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, errNoToken
	}
	if err := isAccessToken(token); err != nil {
		return nil, err
	}
	verified, err := v.oidc.Verify(r.Context(), token) // iss, aud, exp, signature
	if err != nil {
		return nil, err
	}
	c := &Caller{}
	if err := errors.Join(verified.Claims(&c.raw), verified.Claims(c)); err != nil {
		return nil, err
	}
	return c, c.bearer()
}

// isAccessToken keeps out other JWTs of the same issuer, such as ID tokens and
// assertions for proxies (RFC 9068 §4, RFC 8725 §3.11).
func isAccessToken(token string) error {
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256, jose.RS256})
	if err != nil {
		return err
	}
	typ, _ := parsed.Signatures[0].Protected.ExtraHeaders[jose.HeaderType].(string)
	if typ = strings.ToLower(typ); typ != "at+jwt" && typ != "application/at+jwt" {
		return fmt.Errorf("typ %q, want at+jwt", typ)
	}
	return nil
}

// bearer refuses tokens that are bound to a key: whoever only bears one has not shown
// that it is theirs (RFC 9449 §7.1).
func (c *Caller) bearer() error {
	var bound struct {
		Confirmation map[string]any `json:"cnf"`
	}
	if err := c.Claims(&bound); err != nil {
		return err
	}
	if bound.Confirmation != nil {
		return errors.New("the token is bound to a key")
	}
	return nil
}
