package upstream

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/sync/singleflight"
)

const (
	maxKeys  = 50
	maxTried = 4    // keys tried for a signature without kid
	minRSA   = 2048 // bits (RFC 7518 §3.3)
	// askAgain: keys that do not fit are fetched anew after this at the earliest, so
	// that what anybody may send us (a logout token) does not make us ask all the time.
	askAgain = 5 * time.Second
)

// algorithms are those of ID tokens that we take, whatever an upstream supports: never
// none, and nothing symmetric, for a client secret is no signing key (SECURITY.md).
var algorithms = []string{"RS256", "PS256", "ES256", "EdDSA", "RS384", "RS512", "PS384", "PS512", "ES384", "ES512"}

// signedBy are those that the upstream's metadata has too; RS256 where it says nothing.
func (m *metadata) signedBy() []string {
	if len(m.SigningAlgs) == 0 {
		return []string{"RS256"}
	}
	return slices.DeleteFunc(slices.Clone(algorithms), func(alg string) bool { return !slices.Contains(m.SigningAlgs, alg) })
}

// keySet are the public keys of an upstream. They are used for ten minutes, and fetched
// anew as soon as a token is signed by another: so a new key counts at once, and one
// that was taken back counts no longer than that.
type keySet struct {
	get    func(ctx context.Context, url string) ([]byte, error)
	now    func() time.Time
	flight singleflight.Group

	mu      sync.Mutex
	url     string
	keys    []jose.JSONWebKey
	fetched time.Time
}

// at is the set as go-oidc wants it, for one verification: what keeps keys from being
// fetched goes into failed, for go-oidc drops causes.
type verification struct {
	set    *keySet
	url    string
	failed error
}

// VerifySignature implements oidc.KeySet. The algorithm, which is one of ours, has been
// judged by the caller; whether the key fits it go-jose does.
func (v *verification) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	var algs []jose.SignatureAlgorithm
	for _, alg := range algorithms {
		algs = append(algs, jose.SignatureAlgorithm(alg))
	}
	jws, err := jose.ParseSignedCompact(jwt, algs)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("no JWS with one signature")
	}
	keys, fetched := v.set.kept(v.url)
	if body, ok := verifiedBy(jws, keys); ok {
		return body, nil
	}
	if v.set.now().Sub(fetched) >= askAgain {
		if keys, v.failed = v.set.renew(ctx, v.url); v.failed != nil {
			return nil, v.failed
		}
		if body, ok := verifiedBy(jws, keys); ok {
			return body, nil
		}
	}
	return nil, errors.New("no key of the upstream's verifies it")
}

func verifiedBy(jws *jose.JSONWebSignature, keys []jose.JSONWebKey) ([]byte, bool) {
	kid, tried := jws.Signatures[0].Header.KeyID, 0
	for i := range keys {
		if (kid != "" && keys[i].KeyID != kid) || tried == maxTried {
			continue
		}
		tried++
		if body, err := jws.Verify(&keys[i]); err == nil {
			return body, true
		}
	}
	return nil, false
}

// kept are the keys that need no asking; none when they are too old.
func (s *keySet) kept(url string) ([]jose.JSONWebKey, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.url != url || s.now().Sub(s.fetched) >= freshFor {
		return nil, time.Time{}
	}
	return s.keys, s.fetched
}

func (s *keySet) renew(ctx context.Context, url string) ([]jose.JSONWebKey, error) {
	done := s.flight.DoChan(url, func() (any, error) {
		body, err := s.get(context.WithoutCancel(ctx), url)
		if err != nil {
			return nil, down("keys", err)
		}
		keys, err := readKeys(body)
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.url, s.keys, s.fetched = url, keys, s.now()
		return keys, nil
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case got := <-done:
		if got.Err != nil {
			return nil, got.Err
		}
		return got.Val.([]jose.JSONWebKey), nil //nolint:forcetypeassert // as made above
	}
}

// readKeys reads a JWKS (RFC 7517 §5) key by key: one that is unknown or broken does not
// spoil the others, and one that is private, weak or for encryption is none.
func readKeys(body []byte) (keys []jose.JSONWebKey, err error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &set) != nil || len(set.Keys) > maxKeys {
		return nil, invalid("keys: no JWKS, or one of more than 50 keys")
	}
	for _, raw := range set.Keys {
		var k jose.JSONWebKey
		if json.Unmarshal(raw, &k) == nil && fit(k) {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, invalid("keys: the JWKS has none that we can use")
	}
	return keys, nil
}

func fit(k jose.JSONWebKey) bool {
	if k.Use != "" && k.Use != "sig" {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}
