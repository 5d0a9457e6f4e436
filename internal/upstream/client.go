package upstream

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/url"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/oauth2"

	"idp/internal/secret"
)

// assertionFor is how long a client assertion of ours is good.
const assertionFor = time.Minute

// credentials are how we authenticate at an upstream's token endpoint.
type credentials struct {
	id, method string // method empty: a secret, as the upstream takes it
	secret     secret.String
	signer     jose.Signer
}

func newCredentials(c Config, s secret.String, key []byte) (credentials, error) {
	cr := credentials{id: c.ClientID, method: c.AuthMethod, secret: s}
	if c.AuthMethod != byKey {
		return cr, nil
	}
	var err error
	cr.signer, err = newSigner(key, c.ClientKeyID)
	return cr, err
}

// CheckKey says what is wrong with what client_key_file holds.
func CheckKey(text []byte) error {
	_, err := newSigner(text, "")
	return err
}

// newSigner takes an RSA key (RS256) or one on P-256 (ES256), in PEM. The kid is what the
// upstream calls the key; one that it does not know would keep it from being found.
func newSigner(text []byte, kid string) (jose.Signer, error) {
	key, err := parseKey(text)
	if err != nil {
		return nil, err
	}
	var alg jose.SignatureAlgorithm
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < minRSA {
			return nil, errors.New("the RSA key has fewer than 2048 bits")
		}
		alg = jose.RS256
	case *ecdsa.PrivateKey:
		if k.Curve != elliptic.P256() {
			return nil, errors.New("the curve is not P-256")
		}
		alg = jose.ES256
	default:
		return nil, errors.New("the key is neither RSA nor EC")
	}
	return jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, (&jose.SignerOptions{}).WithType("JWT"))
}

func parseKey(text []byte) (any, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("no PEM: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 makes a key")
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	return nil, errors.New("no private key in PEM without a passphrase")
}

// config is the OAuth client that we are at an upstream.
func (u *Upstream) config(m *metadata) *oauth2.Config {
	style := oauth2.AuthStyleInParams
	post := u.client.method == byPost || (u.client.method == "" && len(m.AuthMethods) > 0 && !slices.Contains(m.AuthMethods, byBasic))
	if u.client.secret != "" && !post {
		style = oauth2.AuthStyleInHeader
	}
	return &oauth2.Config{ClientID: u.client.id, ClientSecret: u.client.secret.Reveal(), RedirectURL: u.RedirectURI(), Scopes: u.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: m.Authorization, TokenURL: m.Token, AuthStyle: style}}
}

// assertion is what shows who we are where there is a key (OIDC Core §9, RFC 7523 §2.2).
func (u *Upstream) assertion(m *metadata) ([]oauth2.AuthCodeOption, error) {
	if u.client.signer == nil {
		return nil, nil
	}
	now := u.now()
	text, err := jwt.Signed(u.client.signer).Claims(jwt.Claims{
		Issuer: u.client.id, Subject: u.client.id, Audience: jwt.Audience{m.Token}, ID: secret.ID(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertionFor)),
	}).Serialize()
	return []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
		oauth2.SetAuthURLParam("client_assertion", text),
	}, err
}

// withQuery adds parameters to an endpoint, which may have some of its own.
func withQuery(endpoint string, q url.Values) string {
	u, err := url.Parse(endpoint)
	if err != nil { // it was judged with the discovery document
		return endpoint
	}
	all := u.Query()
	for name, values := range q {
		all[name] = values
	}
	u.RawQuery = all.Encode()
	return u.String()
}
