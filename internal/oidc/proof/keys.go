package proof

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4/json"
)

const (
	maxJWKS  = 64 << 10 // bytes
	maxKeys  = 50       // of one client
	maxTried = 4        // keys tried for a signature without kid
	maxShown = 3        // problems in one error
)

// Keys are the public keys of one client (RFC 7517 §5). Immutable.
type Keys struct {
	list     []*Key
	problems []string
}

// Finder finds the keys with which a client may have signed: those of the kid, or
// of any when it is empty, that fit alg. None is no error.
type Finder func(ctx context.Context, kid, alg string) ([]*Key, error)

// ParseKeys reads a JWKS key by key: one that is unknown, broken, weak or for
// something else is left out and does not spoil the others. It fails when raw is
// no JWKS, has more than 50 keys, or none that can be used; the error may be shown
// to whoever registers the client.
func ParseKeys(raw []byte) (*Keys, error) {
	if len(raw) > maxJWKS {
		return nil, fmt.Errorf("JWKS is longer than %d bytes", maxJWKS)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if !object(raw) || json.Unmarshal(raw, &set) != nil {
		return nil, errors.New("no JWKS: want an object of JSON whose member keys is an array")
	}
	if set.Keys == nil {
		return nil, errors.New("no JWKS: it has no member keys (an array)")
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("JWKS has %d keys: want %d at most", len(set.Keys), maxKeys)
	}
	k := &Keys{}
	for n, text := range set.Keys {
		key, err := parseKey(text)
		if err != nil {
			k.problems = append(k.problems, fmt.Sprintf("key %d: %v", n+1, err))
			continue
		}
		k.list = append(k.list, key)
	}
	if len(k.list) == 0 {
		first := k.problems[:min(len(k.problems), maxShown)]
		return nil, errors.New(strings.Join(append([]string{"JWKS has no key that can be used"}, first...), "; "))
	}
	return k, nil
}

// Problems says which keys were left out, and why.
func (k *Keys) Problems() []string { return k.problems }

// Find is a Finder. Without a kid at most four keys are tried: OIDC Core §10.1
// demands one as soon as there are several.
func (k *Keys) Find(_ context.Context, kid, alg string) (found []*Key, err error) {
	for _, key := range k.list {
		if key.fits(alg) && (kid == "" || key.jwk.KeyID == kid) && len(found) < maxTried {
			found = append(found, key)
		}
	}
	return found, nil
}
