package clientauth

import (
	"context"
	"errors"
	"net/http"
	"strings"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/clients"
	"idp/internal/oidc/proof"
	"idp/internal/oidc/wire"
	"idp/internal/secret"
	"idp/internal/store"
)

// headerDPoP is where a proof comes (RFC 9449 §4.1).
const headerDPoP = "DPoP"

// NextNonce is the nonce that the next proof has to hold (RFC 9449 §8), for the answer
// to who shows a proof, or a token that needs one; empty for others.
func (a *Auth) NextNonce(r *http.Request) string {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if r.Header.Get(headerDPoP) == "" && !strings.EqualFold(scheme, wire.TokenTypeDPoP) {
		return ""
	}
	return a.Nonces.Issue(a.Now())
}

// tokenProof checks the DPoP proof of a request to the token or PAR endpoint
// (RFC 9449 §5, §10.1); nil without one, which clients that are registered for
// bound tokens may not leave out (§5.2).
func (a *Auth) tokenProof(r *http.Request, at Endpoint, client *store.Client) (*proof.DPoP, error) {
	headers := r.Header.Values(headerDPoP)
	if len(headers) == 0 {
		if clients.RequiresDPoP(client) && at.Proof {
			return nil, &protocol.Error{ErrorType: wire.InvalidDPoPProof, Description: "this client has to send a DPoP proof"}
		}
		return nil, nil //nolint:nilnil // no proof is an answer, not an error
	}
	shown, err := a.verifyProof(headers, proof.Request{Method: r.Method, URL: a.Issuer + at.Path, FAPI: clients.FAPI(client)})
	var e *proof.Error
	switch {
	case !errors.As(err, &e):
		return shown, err
	case e.Nonce:
		return nil, &protocol.Error{ErrorType: wire.UseDPoPNonce, Description: e.Hint}
	}
	return nil, &protocol.Error{ErrorType: wire.InvalidDPoPProof, Description: e.Hint}
}

// ResourceProof checks that whoever shows a bound access token of a client holds its
// key (RFC 9449 §7.1). path is the resource's, jkt that of the token.
func (a *Auth) ResourceProof(r *http.Request, path string, client *store.Client, token, jkt string) error {
	shown, err := a.verifyProof(r.Header.Values(headerDPoP), proof.Request{
		Method: r.Method, URL: a.Issuer + path, AccessToken: secret.String(token), FAPI: clients.FAPI(client)})
	if err == nil && shown.Thumbprint != jkt {
		err = &proof.Error{Hint: "the proof is by another key than the access token is bound to"}
	}
	if err == nil {
		err = a.useProof(r.Context(), shown)
	}
	var e *proof.Error
	var refused *protocol.Error
	switch {
	case errors.As(err, &e) && e.Nonce:
		return badProof(wire.UseDPoPNonce, e.Hint)
	case errors.As(err, &e):
		return badProof(wire.InvalidDPoPProof, e.Hint)
	case errors.As(err, &refused) && refused.ErrorType == wire.InvalidDPoPProof:
		return badProof(wire.InvalidDPoPProof, refused.Description)
	}
	return err
}

func badProof(code, hint string) error {
	f := wire.Failure{Status: http.StatusUnauthorized, Challenges: []string{DPoPChallenge(code)}, Err: &protocol.Error{Description: hint}}
	f.Err.ErrorType = wire.InvalidDPoPProof
	if code == wire.UseDPoPNonce {
		f.Err.ErrorType = wire.UseDPoPNonce
	}
	return f
}

// DPoPChallenge asks for a bound token (RFC 9449 §7.1); code may be empty.
func DPoPChallenge(code string) string {
	challenge := `DPoP realm="userinfo", algs="` + strings.Join(proof.Algorithms(false), " ") + `"`
	if code != "" {
		challenge += `, error="` + code + `"`
	}
	return challenge
}

// verifyProof checks a proof by RFC 9449 §4.3. A nonce of ours is always wanted:
// it bounds how far ahead somebody who borrows the key can make proofs (§11.2).
func (a *Auth) verifyProof(headers []string, q proof.Request) (*proof.DPoP, error) {
	q.Now = a.Now()
	q.Nonce = func(nonce string) bool { return a.Nonces.Accept(nonce, q.Now) }
	return proof.VerifyDPoP(headers, q)
}

// useProof uses a proof up on all nodes (RFC 9449 §11.1); nil is no proof.
func (a *Auth) useProof(ctx context.Context, shown *proof.DPoP) error {
	if shown == nil {
		return nil
	}
	first, err := a.Store.SeenOnce(ctx, store.UseProof, shown.Once.Hash, shown.Once.Until)
	if err == nil && !first {
		err = &protocol.Error{ErrorType: wire.InvalidDPoPProof, Description: "the proof was used before"}
	}
	return err
}
