package keys

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v4"

	"idp/internal/secret"
	"idp/internal/store"
)

// sealPurpose is what private keys are sealed for; the context is the kid.
const sealPurpose = "signing key"

// set is the published keys as read at one moment. It is never changed.
type set struct {
	rows    []store.SigningKey
	byKid   map[string]*key
	headers map[string]header // by the encoded JOSE header, as this package writes it
	jwks    []byte
}

// key is an opened signing key.
type key struct {
	row     store.SigningKey
	ec      *ecdsa.PrivateKey // ES256
	rsa     *rsa.PrivateKey   // RS256
	headers map[string]string // typ → encoded JOSE header and a dot
}

// header is what an encoded JOSE header says.
type header struct {
	key *key
	typ string
}

// newSet opens the keys of rows that are still published; those that old holds
// are not opened again.
func newSet(rows []store.SigningKey, old *set, ring *secret.Ring, now time.Time) (*set, error) {
	s := &set{rows: rows, byKid: map[string]*key{}, headers: map[string]header{}}
	for _, row := range rows {
		if row.ExpiresAt > 0 && row.ExpiresAt <= now.UnixMilli() {
			continue
		}
		k, err := open(row, old, ring)
		if err != nil {
			return nil, fmt.Errorf("key %s: %w", row.Kid, err)
		}
		s.byKid[row.Kid] = k
		for typ, text := range k.headers {
			s.headers[text[:len(text)-1]] = header{k, typ}
		}
	}
	return s, s.publish(now)
}

func open(row store.SigningKey, old *set, ring *secret.Ring) (*key, error) {
	if old != nil && old.byKid[row.Kid] != nil {
		k := *old.byKid[row.Kid]
		k.row = row
		return &k, nil
	}
	der, err := ring.Open(sealPurpose, row.Kid, row.Sealed)
	if err != nil {
		return nil, err
	}
	private, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	k := &key{row: row, headers: map[string]string{}}
	for _, typ := range types {
		k.headers[typ] = encodeHeader(row.Algorithm, row.Kid, typ)
	}
	var ok bool
	switch row.Algorithm {
	case ES256:
		k.ec, ok = private.(*ecdsa.PrivateKey)
	case RS256:
		k.rsa, ok = private.(*rsa.PrivateKey)
	}
	if !ok {
		return nil, fmt.Errorf("a %T cannot sign %q", private, row.Algorithm)
	}
	return k, nil
}

// public returns the half that is published.
func (k *key) public() crypto.PublicKey {
	if k.ec != nil {
		return k.ec.Public()
	}
	return k.rsa.Public()
}

// active returns the key that signs with alg at now, or nil. Of several, during
// a handover seen late, it is the last to start.
func (s *set) active(alg string, now int64) (found *key) {
	for _, k := range s.byKid {
		if k.row.Algorithm == alg && k.row.ActiveAt <= now && (found == nil || k.row.ActiveAt > found.row.ActiveAt) {
			found = k
		}
	}
	return found
}

// complete reports whether every algorithm has an active key.
func (s *set) complete(now time.Time) bool {
	return !slices.ContainsFunc(Algorithms, func(alg string) bool { return s.active(alg, now.UnixMilli()) == nil })
}

// publish writes the JWKS: keys that sign now first, for the sake of relying
// parties that look at the first one only.
func (s *set) publish(now time.Time) error {
	list := make([]*key, 0, len(s.byKid))
	for _, k := range s.byKid {
		list = append(list, k)
	}
	rank := func(k *key) int {
		if k == s.active(k.row.Algorithm, now.UnixMilli()) {
			return 0
		}
		return 1
	}
	slices.SortFunc(list, func(a, b *key) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(b.row.ActiveAt, a.row.ActiveAt),
			cmp.Compare(a.row.Algorithm, b.row.Algorithm), cmp.Compare(a.row.Kid, b.row.Kid))
	})
	jwks := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range list {
		jwks.Keys = append(jwks.Keys, jose.JSONWebKey{Key: k.public(), KeyID: k.row.Kid, Algorithm: k.row.Algorithm, Use: "sig"})
	}
	var err error
	s.jwks, err = json.Marshal(jwks)
	return err
}

func thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}
