// Package tokens makes the tokens of relying parties, and reads those that come back.
//
// There are three. An ID token tells one relying party who logged in, how and when
// (OIDC Core §2). An access token opens userinfo or a resource (RFC 8707) for some
// minutes (RFC 9068); both are JWTs that package keys signs. A refresh token gets new
// ones: it is no JWT but the number of a row, which we sign by a MAC, for nobody else
// reads it. Beside them stand the claims about people that tokens and userinfo tell
// (OIDC Core §5), and whom an access token may be made for.
//
// What a token says of itself is judged here: form, signature, type, issuer, expiry.
// Whether it still counts is said by rows, and so by who asks the database.
package tokens

import (
	"cmp"
	"errors"
	"time"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
)

// Config is everything New needs.
type Config struct {
	Issuer    string // the audience of tokens for our own userinfo, too
	Keys      *keys.Keys
	Ring      *secret.Ring
	Resources []store.Resource // whom access tokens can be made for, beside the issuer
	Realm     string           // default Kerberos realm, for {realm} in a client's preferred_username
	Now       func() time.Time

	AccessToken, IDToken time.Duration // how long they live
}

// Tokens makes tokens and reads them. Safe for concurrent use.
type Tokens struct {
	Config
	refreshTokens
	verified *tokenCache
}

// New checks the configuration.
func New(c Config) (*Tokens, error) {
	if c.Issuer == "" || c.Keys == nil || c.Ring == nil || c.Now == nil || c.AccessToken <= 0 || c.IDToken <= 0 {
		return nil, errors.New("tokens: Issuer, Keys, Ring, Now, AccessToken and IDToken are required")
	}
	return &Tokens{Config: c, refreshTokens: refreshTokens{c.Ring.Derive("refresh token")}, verified: newTokenCache()}, nil
}

// Response is what a token response is made of.
type Response struct {
	Client   *store.Client
	Grant    *store.Grant // nil: the client acts for itself
	User     *store.User  // of the grant
	Scope    string       // of this response; part of the grant's
	Nonce    string
	Audience string        // of the access token: a resource, or empty for this issuer
	Refresh  secret.String // empty: none
	JKT      string        // the DPoP key the access token is bound to; empty: a bearer token

	// Of an exchange (RFC 8693).
	Issued  string        // the type of what is given (§2.2.1); empty: no exchange
	Act     *Actor        // who acts; nil: nobody but the client itself
	Parent  string        // jti of the token that the access token is got for; empty: it had none
	Giver   *store.Client // whom the grant was given to; nil: Client
	Expires time.Time     // of the access token; zero: as all of them
}

// Respond signs the tokens and writes the response (RFC 6749 §5.1, OIDC
// Core §3.1.3.3).
func (t *Tokens) Respond(r Response) ([]byte, error) {
	now := t.Now()
	if r.Expires.IsZero() {
		r.Expires = now.Add(t.AccessToken)
	}
	access, err := t.accessToken(r, now)
	if err != nil {
		return nil, err
	}
	o := wire.NewObject(2048)
	o.Text("access_token", access)
	o.Text("issued_token_type", r.Issued)
	o.Text("token_type", wire.TokenType(r.JKT))
	o.Number("expires_in", r.Expires.Unix()-now.Unix())
	o.Text("refresh_token", r.Refresh.Reveal())
	o.Text("scope", r.Scope)
	if r.Grant != nil && clients.HasScope(r.Scope, protocol.ScopeOpenID) {
		id, err := t.idToken(r, access, now)
		if err != nil {
			return nil, err
		}
		o.Text("id_token", id)
	}
	return o.Close(), nil
}

// accessToken makes an RFC 9068 JWT. Its audience is this issuer, whose userinfo
// it opens, or the resource that was asked for; grant is the row that can revoke
// it. A client that acts for itself is its own subject (RFC 9068 §2.2). Groups
// (§2.2.3.1) are not in it: which of them somebody may see is said of each client,
// and of no resource. The user's name is, for a resource, where the user let the client
// have it: so it knows people as those behind a proxy do.
func (t *Tokens) accessToken(r Response, now time.Time) (string, error) {
	o := wire.NewObject(640)
	o.Text("iss", t.Issuer)
	subject := r.Client.ClientID
	if r.Grant != nil {
		subject = r.Grant.UserID
	}
	o.Text("sub", subject)
	audience := cmp.Or(r.Audience, t.Issuer)
	o.Text("aud", audience)
	o.Text("client_id", r.Client.ClientID)
	o.Number("exp", r.Expires.Unix())
	o.Number("iat", now.Unix())
	o.Text("jti", childOf(r.Parent))
	o.Text("scope", r.Scope)
	AppendActor(&o, r.Act)
	if r.User != nil && audience != t.Issuer && TellsName(cmp.Or(r.Giver, r.Client), r.Grant) {
		o.Text("preferred_username", t.Username(r.Client, r.User))
	}
	if r.Grant != nil {
		AppendLogin(&o, r.Grant)
		o.Text("sid", r.Grant.SessionID)
		o.Text("grant", r.Grant.ID)
	}
	o.Confirmation(r.JKT)
	alg, ok := t.signingAlg(r.Client, audience)
	if !ok {
		return "", invalidTarget("the resource is unknown, or not for this client")
	}
	return t.Keys.Sign(alg, keys.TypeAccessToken, o.Close())
}

// TellsName reports whether a grant lets its client know the user's name, and so those
// that it shows tokens of it to.
func TellsName(c *store.Client, g *store.Grant) bool {
	return clients.HasScope(g.Scope, protocol.ScopeProfile) && clients.HasScope(clients.Scope(c), protocol.ScopeProfile)
}

// idToken makes the ID token (OIDC Core §2).
func (t *Tokens) idToken(r Response, access string, now time.Time) (string, error) {
	o := wire.NewObject(768)
	o.Text("iss", t.Issuer)
	o.Text("sub", r.Grant.UserID)
	o.Text("aud", r.Client.ClientID)
	o.Number("exp", now.Add(t.IDToken).Unix())
	o.Number("iat", now.Unix())
	o.Text("nonce", r.Nonce)
	AppendLogin(&o, r.Grant)
	if clients.LearnsSession(r.Client) {
		o.Text("sid", r.Grant.SessionID)
	}
	o.Text("at_hash", keys.HalfHash(clients.IDTokenAlg(r.Client), access))
	if r.User != nil {
		if err := t.appendAsked(&o, r); err != nil {
			return "", err
		}
	}
	return t.Keys.Sign(clients.IDTokenAlg(r.Client), keys.TypeIDToken, o.Close())
}

// appendAsked adds the claims about the user that belong into the ID token: those
// asked for one by one, and for clients that read nothing else the scope's.
func (t *Tokens) appendAsked(o *wire.Object, r Response) error {
	asked, err := ReadAskedClaims(r.Grant.Claims)
	scope := ""
	if r.Client.ClaimsInIDToken {
		scope = r.Scope
	}
	t.AppendUser(o, r.User, r.Client, scope, asked.IDToken)
	return err
}

// AppendLogin adds how and when the user logged in.
func AppendLogin(o *wire.Object, g *store.Grant) {
	o.Time("auth_time", g.AuthTime)
	o.Text("acr", g.ACR)
	if len(g.AMR) > 0 {
		o.List("amr", g.AMR)
	}
}
