package tokens

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	"idp/internal/keys"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
)

// AccessClaims are the claims of an access token of ours (RFC 9068 §2.2).
type AccessClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	ClientID  string   `json:"client_id"`
	Expires   int64    `json:"exp"`
	IssuedAt  int64    `json:"iat"`
	ID        string   `json:"jti"`
	Scope     string   `json:"scope"`
	AuthTime  int64    `json:"auth_time"`
	ACR       string   `json:"acr"`
	AMR       []string `json:"amr"`
	SessionID string   `json:"sid"`
	Grant     string   `json:"grant"` // empty: the client acts for itself

	Confirmation struct {
		JKT string `json:"jkt"`
	} `json:"cnf"` // the DPoP key it is bound to (RFC 9449 §6.1); empty: a bearer token

	Act *Actor `json:"act"` // who got it by an exchange; nil: nobody did

	typ string // of its header
}

// Actor is a client that acts for the subject of a token, and whom it acts for in that
// (RFC 8693 §4.1).
type Actor struct {
	Subject string `json:"sub"` // its client_id
	Act     *Actor `json:"act,omitempty"`
}

// Chain are the client_ids of those that act, who acts now first.
func (a *Actor) Chain() (ids []string) {
	for ; a != nil; a = a.Act {
		ids = append(ids, a.Subject)
	}
	return ids
}

// childOf makes the jti of a token that is got for another: it begins with that one's, so
// that the revocation of any token on the way is found by those that came of it.
func childOf(parent string) string {
	if parent == "" {
		return secret.ID()
	}
	return parent + generation + secret.ID()
}

// generation separates the jti of a token from what is added for the next one. No
// secret.ID has it.
const generation = "."

// Parents are the jti of the tokens that c was got for, the last one first, as the clients
// of its chain of actors are; an assertion has none.
func (c *AccessClaims) Parents() (ids []string) {
	for id := c.ID; ; ids = append(ids, id) {
		i := strings.LastIndex(id, generation)
		if i < 0 {
			return ids
		}
		id = id[:i]
	}
}

// AppendActor adds who acts (RFC 8693 §4.1), if anybody does.
func AppendActor(o *wire.Object, a *Actor) {
	if a == nil {
		return
	}
	in := wire.NewObject(128)
	in.Text("sub", a.Subject)
	AppendActor(&in, a.Act)
	o.Raw("act", in.Close())
}

// errAccessToken means that a text is not an access token of ours that is in force.
var errAccessToken = errors.New("not a valid access token")

// ReadAccess checks what a token says of itself (RFC 9068 §4): signature,
// typ, issuer and expiry. Whether its grant still counts, the database says.
func (t *Tokens) ReadAccess(token string) (*AccessClaims, error) {
	return t.read(token, keys.TypeAccessToken)
}

// ReadAssertion is ReadAccess for what an application behind a proxy is told of who is
// there. It names no client and no scope; its grant may be empty, and its session too.
func (t *Tokens) ReadAssertion(token string) (*AccessClaims, error) {
	return t.read(token, keys.TypeAssertion)
}

// read reads a token of ours of one type.
func (t *Tokens) read(token, want string) (*AccessClaims, error) {
	sum := sha256.Sum256([]byte(token))
	c := t.verified.get(sum)
	if c == nil {
		raw, typ, err := t.Keys.Verify(token, keys.Algorithms...)
		if err != nil {
			return nil, err
		}
		c = &AccessClaims{typ: typ}
		if err := json.Unmarshal(raw, c); err != nil {
			return nil, fmt.Errorf("%w: claims do not parse", errAccessToken)
		}
		if c.Issuer != t.Issuer {
			return nil, fmt.Errorf("%w: issuer is not this one", errAccessToken)
		}
		t.verified.put(sum, c)
	}
	if c.typ != want { // an ID token is no access token
		return nil, fmt.Errorf("%w: typ is not %s", errAccessToken, want)
	}
	if c.Expires <= t.Now().Unix() {
		return nil, fmt.Errorf("%w: expired", errAccessToken)
	}
	return c, nil
}

// tokenCache remembers tokens whose signature was verified, by their SHA-256, so
// that a relying party asking again does not cost a verification. What it holds
// stays true: state is never in it. Two generations bound it to twice its half.
type tokenCache struct {
	mu       sync.Mutex
	new, old map[[sha256.Size]byte]*AccessClaims
}

// tokenCacheHalf times two is the bound: some 8 MB.
const tokenCacheHalf = 8000

func newTokenCache() *tokenCache {
	return &tokenCache{new: map[[sha256.Size]byte]*AccessClaims{}}
}

func (c *tokenCache) get(sum [sha256.Size]byte) *AccessClaims {
	c.mu.Lock()
	defer c.mu.Unlock()
	if hit := c.new[sum]; hit != nil {
		return hit
	}
	return c.old[sum]
}

func (c *tokenCache) put(sum [sha256.Size]byte, claims *AccessClaims) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.new) >= tokenCacheHalf {
		c.old, c.new = c.new, map[[sha256.Size]byte]*AccessClaims{}
	}
	c.new[sum] = claims
}
