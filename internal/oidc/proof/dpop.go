package proof

import (
	"crypto/sha256"
	"time"

	"idp/internal/secret"
)

const (
	maxProof = 8 << 10         // bytes
	proofAge = 5 * time.Minute // for which a proof is good after its iat, and longer than with a nonce of ours (RFC 9449 §11.1)
)

// Request is the request that a DPoP proof has to be about.
type Request struct {
	Method string // GET, POST
	URL    string // of the endpoint, from the configuration and never from the request
	// AccessToken is what a request for a resource comes with; the proof then has
	// to be about it too. Empty at the token endpoint.
	AccessToken secret.String
	// Nonce reports whether the proof's nonce is good; it gets an empty one when
	// there is none. Nil: no nonce is looked at.
	Nonce func(nonce string) bool
	FAPI  bool // FAPI 2.0 Security Profile §5.4.1: no RS256
	Now   time.Time
}

// DPoP is what a proof shows: its sender holds the private key of Thumbprint.
type DPoP struct {
	Thumbprint string // jkt: SHA-256 of the key by RFC 7638, in base64url
	Once       Once   // to be remembered before it counts (RFC 9449 §11.1)
}

// dpopProof is a proof on its way through the checks.
type dpopProof struct {
	*jws
	claims struct {
		ID       string   `json:"jti"`
		Method   string   `json:"htm"`
		URL      string   `json:"htu"`
		IssuedAt *seconds `json:"iat"`
		Hash     string   `json:"ath"`
		Nonce    string   `json:"nonce"`
	}
	key *Key
}

// VerifyDPoP checks the DPoP headers of a request in the order of RFC 9449 §4.3.
// Whether the key is the one that a token is bound to (§4.3, 12b) is for the
// caller to compare. Errors are *Error.
func VerifyDPoP(headers []string, r Request) (*DPoP, error) {
	if err := oneHeader(headers); err != nil {
		return nil, err
	}
	p, err := parseProof(headers[0])
	if err != nil {
		return nil, err
	}
	checks := []func(Request) error{
		p.required, p.proofType, p.algorithm, p.publicKey, p.verified, p.htm, p.htu, p.nonce, p.iat, p.ath,
	}
	for _, check := range checks {
		if err := check(r); err != nil {
			return nil, err
		}
	}
	jkt, err := p.key.thumbprint()
	if err != nil {
		return nil, refuse("the key of the DPoP proof has no thumbprint")
	}
	return &DPoP{Thumbprint: jkt, Once: once("dpop", jkt, p.claims.ID, p.until(r))}, nil
}

// oneHeader: §4.3, 1.
func oneHeader(headers []string) error {
	if len(headers) != 1 {
		return refuse("want one DPoP header, found %d", len(headers))
	}
	return nil
}

// parseProof: §4.3, 2, a well-formed JWT.
func parseProof(text string) (*dpopProof, error) {
	j, err := parse(text, maxProof)
	if err != nil {
		return nil, err
	}
	p := &dpopProof{jws: j}
	return p, j.read(&p.claims)
}

// required: §4.3, 3, the claims of §4.2 (ath and nonce have checks of their own).
func (p *dpopProof) required(Request) error {
	if p.claims.Method == "" || p.claims.URL == "" || p.claims.IssuedAt == nil {
		return refuse("the DPoP proof lacks htm, htu or iat")
	}
	return checkID(p.claims.ID)
}

// proofType: §4.3, 4.
func (p *dpopProof) proofType(Request) error {
	if !p.header.typed("dpop+jwt") {
		return refuse("typ of the DPoP proof is not dpop+jwt")
	}
	return nil
}

// algorithm: §4.3, 5.
func (p *dpopProof) algorithm(r Request) error {
	if !accepted(p.header.Alg, r.FAPI) {
		return refuse("alg of the DPoP proof is not one of %v", Algorithms(r.FAPI))
	}
	return nil
}

// publicKey: §4.3, 7, before the key is used.
func (p *dpopProof) publicKey(Request) (err error) {
	if p.header.JWK == nil {
		return refuse("the header of the DPoP proof has no jwk")
	}
	if p.key, err = parseKey(p.header.JWK); err != nil {
		return refuse("jwk of the DPoP proof: %v", err)
	}
	return nil
}

// verified: §4.3, 6.
func (p *dpopProof) verified(Request) error {
	if !p.key.verify(p.header.Alg, p.signed, p.signature) {
		return refuse("signature of the DPoP proof does not match its jwk and alg")
	}
	return nil
}

// htm: §4.3, 8. Methods have a case (RFC 9110 §9.1).
func (p *dpopProof) htm(r Request) error {
	if p.claims.Method != r.Method {
		return refuse("htm of the DPoP proof is not the method of the request")
	}
	return nil
}

// htu: §4.3, 9.
func (p *dpopProof) htu(r Request) error {
	if !sameURL(p.claims.URL, r.URL) {
		return refuse("htu of the DPoP proof is not the URL of this endpoint")
	}
	return nil
}

// nonce: §4.3, 10.
func (p *dpopProof) nonce(r Request) error {
	if r.Nonce == nil || r.Nonce(p.claims.Nonce) {
		return nil
	}
	return &Error{Hint: "the DPoP proof needs the nonce of the DPoP-Nonce header", Nonce: true}
}

// iat: §4.3, 11. Who has a nonce of ours has our time in it, and may have a wrong
// clock (§8); but FAPI 2.0 Security Profile §5.3.2.1 has authorization servers,
// though not resource servers (§5.3.4), refuse what is from the future.
func (p *dpopProof) iat(r Request) error {
	fapiToken := r.FAPI && r.AccessToken == ""
	switch iat := p.claims.IssuedAt.time(); {
	case (r.Nonce == nil || fapiToken) && iat.After(r.Now.Add(skew)):
		return refuse("iat of the DPoP proof is in the future; are the clocks right?")
	case r.Nonce == nil && !r.Now.Before(iat.Add(proofAge)):
		return refuse("the DPoP proof is too old; are the clocks right?")
	}
	return nil
}

// until is when the proof is no longer good, whatever else is seen of it: a nonce
// ends before proofAge is over.
func (p *dpopProof) until(r Request) time.Time {
	if r.Nonce != nil {
		return r.Now.Add(proofAge)
	}
	return p.claims.IssuedAt.time().Add(proofAge)
}

// ath: §4.3, 12a.
func (p *dpopProof) ath(r Request) error {
	if r.AccessToken == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(r.AccessToken.Reveal()))
	if !secret.Equal([]byte(p.claims.Hash), []byte(base64url.EncodeToString(sum[:]))) {
		return refuse("ath of the DPoP proof is not the hash of the access token")
	}
	return nil
}
