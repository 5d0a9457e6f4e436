package keys

import (
	"cmp"
	"crypto"
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
	signer
	row     store.SigningKey
	headers map[string]string // typ → encoded JOSE header and a dot
}

// header is what an encoded JOSE header says.
type header struct {
	key *key
	typ string
}

// newSet opens the keys of rows that are still published; those that old holds
// are not opened again. An algorithm that is unknown is one of a later release,
// whose nodes share the rows during an upgrade.
func newSet(rows []store.SigningKey, old *set, ring *secret.Ring, now time.Time) (*set, error) {
	s := &set{rows: rows, byKid: map[string]*key{}, headers: map[string]header{}}
	for _, row := range rows {
		if row.ExpiresAt > 0 && row.ExpiresAt <= now.UnixMilli() || !slices.Contains(Algorithms, row.Algorithm) {
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
	if k.signer, err = bind(row.Algorithm, private); err != nil {
		return nil, err
	}
	for _, typ := range types {
		k.headers[typ] = encodeHeader(row.Algorithm, row.Kid, typ)
	}
	return k, nil
}

// active returns the key that signs with alg at now, or nil. Of several, during
// a handover seen late, it is the last to start. Where none has started it is
// the first to: a node whose clock is ahead of ours has made the first key.
func (s *set) active(alg string, now int64) (found *key) {
	var next *key
	for _, k := range s.byKid {
		switch {
		case k.row.Algorithm != alg:
		case k.row.ActiveAt > now && (next == nil || k.row.ActiveAt < next.row.ActiveAt):
			next = k
		case k.row.ActiveAt <= now && (found == nil || k.row.ActiveAt > found.row.ActiveAt):
			found = k
		}
	}
	if found == nil {
		return next
	}
	return found
}

// complete reports whether every algorithm that always has an active key has one.
func (s *set) complete(now time.Time) bool {
	return !slices.ContainsFunc(always, func(alg string) bool { return s.active(alg, now.UnixMilli()) == nil })
}

// publish writes the JWKS: keys that sign now first, and RS256 before PS256, for
// the sake of relying parties that look at the first one only, or at the first
// RSA key.
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
	order := func(k *key) int { return slices.Index(Algorithms, k.row.Algorithm) }
	slices.SortFunc(list, func(a, b *key) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(order(a), order(b)),
			cmp.Compare(b.row.ActiveAt, a.row.ActiveAt), cmp.Compare(a.row.Kid, b.row.Kid))
	})
	jwks := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, k := range list {
		jwks.Keys = append(jwks.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: k.row.Kid, Algorithm: k.row.Algorithm, Use: "sig"})
	}
	var err error
	s.jwks, err = json.Marshal(jwks)
	return err
}

func thumbprint(public crypto.PublicKey) (string, error) {
	sum, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
	return base64.RawURLEncoding.EncodeToString(sum), err
}
