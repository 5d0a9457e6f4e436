package proof

import (
	"context"
	"slices"
	"time"
)

const (
	maxAssertion = 16 << 10  // bytes
	maxAhead     = time.Hour // of exp
	maxRepeated  = 24 * time.Hour
)

// Claimed is an assertion whose signature nobody has looked at.
type Claimed struct {
	jws    *jws
	claims assertionClaims
}

// assertionClaims are those of RFC 7523 §3.
type assertionClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Expires   *seconds `json:"exp"`
	NotBefore *seconds `json:"nbf"`
	IssuedAt  *seconds `json:"iat"`
	ID        string   `json:"jti"`
}

// Rules are what an assertion must be to be taken.
type Rules struct {
	Issuer    string   // who signs: a client_id, or another issuer that the client trusts
	Audiences []string // who we are: the issuer; for clients that are not FAPI also the endpoints' URLs
	Algorithm string   // the client is registered for (token_endpoint_auth_signing_alg); empty: any of ours
	FAPI      bool     // FAPI 2.0 Security Profile §5.3.2.1: no RS256, and aud a text
	Grant     bool     // a grant (RFC 7523 §2.1): sub is whom it is about, not the client itself
	// Repeated: it is shown again and again until it ends, as a workload does with
	// the token that its platform gave it. So it needs no jti, has no Once, and may
	// be good for a day.
	Repeated bool
	Now      time.Time
}

// Assertion is one that was verified.
type Assertion struct {
	Subject string // whom it is about: the client itself, unless Rules.Grant
	Once    Once   // to be remembered before it counts (RFC 7523 §3, 7); not with Rules.Repeated
}

// ParseAssertion reads an assertion to find out whose it claims to be. Errors are
// *Error.
func ParseAssertion(text string) (*Claimed, error) {
	j, err := parse(text, maxAssertion)
	if err != nil {
		return nil, err
	}
	c := &Claimed{jws: j}
	return c, j.read(&c.claims)
}

// Client is the client_id that the assertion claims (RFC 7521 §4.2: the parameter
// client_id may be absent), its iss. It proves nothing before Verify.
func (c *Claimed) Client() string { return c.claims.Issuer }

// Subject is whom the assertion is about, by what it says. It proves nothing either.
func (c *Claimed) Subject() string { return c.claims.Subject }

// Verify checks the assertion by RFC 7523 §3 and its signature by a key of the
// client. Errors are *Error, or the Finder's.
func (c *Claimed) Verify(ctx context.Context, r Rules, find Finder) (*Assertion, error) {
	checks := []func(Rules) error{
		c.assertionType, c.algorithm, c.issuer, c.subject, c.audience, c.expires, c.notBefore, c.issuedAt, c.id,
	}
	for _, check := range checks {
		if err := check(r); err != nil {
			return nil, err
		}
	}
	if err := c.signature(ctx, find); err != nil {
		return nil, err
	}
	a := &Assertion{Subject: c.claims.Subject}
	if !r.Repeated {
		// Whatever it is shown as: else one that authenticated a client could be
		// shown once more, by whoever saw it, as a grant.
		a.Once = once("assertion", c.claims.Issuer, c.claims.ID, c.claims.Expires.time().Add(skew))
	}
	return a, nil
}

// assertionType: one kind of JWT is never taken for another (RFC 8725 §3.11).
// Absent and JWT are what RFC 7523 was used with; the others are those of its
// successor.
func (c *Claimed) assertionType(r Rules) error {
	want := "client-authentication+jwt"
	if r.Grant {
		want = "authorization-grant+jwt"
	}
	if h := c.jws.header; h.Typ != "" && !h.typed("JWT") && !h.typed(want) {
		return refuse("typ of the assertion is not JWT or %s", want)
	}
	return nil
}

// algorithm: RFC 7523 §3, 9.
func (c *Claimed) algorithm(r Rules) error {
	alg := c.jws.header.Alg
	if !accepted(alg, r.FAPI) {
		return refuse("alg of the assertion is not one of %v", Algorithms(r.FAPI))
	}
	if r.Algorithm != "" && named(alg) != named(r.Algorithm) {
		return refuse("alg of the assertion is not the one that the client is registered for")
	}
	return nil
}

// issuer: RFC 7523 §3, 1.
func (c *Claimed) issuer(r Rules) error {
	if r.Issuer == "" || c.claims.Issuer != r.Issuer {
		return refuse("iss of the assertion is not the client_id")
	}
	return nil
}

// subject: RFC 7523 §3, 2.
func (c *Claimed) subject(r Rules) error {
	if c.claims.Subject == "" {
		return refuse("the assertion has no sub")
	}
	if !r.Grant && c.claims.Subject != r.Issuer {
		return refuse("sub of the assertion is not the client_id")
	}
	return nil
}

// audience: RFC 7523 §3, 3. Some libraries name the issuer and the endpoint.
func (c *Claimed) audience(r Rules) error {
	if !c.claims.Audience.within(r.Audiences) {
		return refuse("aud of the assertion is not the issuer of this server, or names others too")
	}
	if r.FAPI && c.claims.Audience.array {
		return refuse("aud of the assertion is an array: FAPI 2.0 wants a text")
	}
	return nil
}

// expires: RFC 7523 §3, 4.
func (c *Claimed) expires(r Rules) error {
	ahead := maxAhead
	if r.Repeated {
		ahead = maxRepeated
	}
	switch exp := c.claims.Expires; {
	case exp == nil:
		return refuse("the assertion has no exp")
	case !r.Now.Before(exp.time().Add(skew)):
		return refuse("the assertion has expired; are the clocks right?")
	case exp.time().After(r.Now.Add(ahead + skew)):
		return refuse("exp of the assertion is more than %s ahead", ahead)
	}
	return nil
}

// notBefore: RFC 7523 §3, 5.
func (c *Claimed) notBefore(r Rules) error {
	if nbf := c.claims.NotBefore; nbf != nil && nbf.time().After(r.Now.Add(skew)) {
		return refuse("nbf of the assertion is in the future; are the clocks right?")
	}
	return nil
}

// issuedAt: RFC 7523 §3, 6.
func (c *Claimed) issuedAt(r Rules) error {
	if iat := c.claims.IssuedAt; iat != nil && iat.time().After(r.Now.Add(skew)) {
		return refuse("iat of the assertion is in the future; are the clocks right?")
	}
	return nil
}

// id: OIDC Core §9 requires a jti, so that an assertion counts once.
func (c *Claimed) id(r Rules) error {
	if r.Repeated {
		return nil
	}
	return checkID(c.claims.ID)
}

func checkID(id string) error {
	if id == "" || len(id) > maxID {
		return refuse("jti is missing or longer than %d bytes", maxID)
	}
	return nil
}

// signature: RFC 7523 §3, 9.
func (c *Claimed) signature(ctx context.Context, find Finder) error {
	h := c.jws.header
	keys, err := find(ctx, h.Kid, h.Alg)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return refuse("the client has no key with the kid and alg of the assertion")
	}
	if !slices.ContainsFunc(keys, func(k *Key) bool { return k.verify(h.Alg, c.jws.signed, c.jws.signature) }) {
		return refuse("signature of the assertion does not match the client's key")
	}
	return nil
}
