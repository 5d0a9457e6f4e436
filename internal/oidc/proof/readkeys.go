package proof

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// ReadKeys makes a JWKS of what administrators have at hand: one as it is, a single
// JWK, or the PEM public keys that openssl writes, which get their RFC 7638
// thumbprints as kid. Whether its keys can be used, ParseKeys says; the error may be
// shown.
func ReadKeys(text []byte) ([]byte, error) {
	text = bytes.TrimSpace(text)
	switch {
	case len(text) > maxJWKS:
		return nil, fmt.Errorf("is longer than %d bytes", maxJWKS)
	case bytes.HasPrefix(text, []byte("-----BEGIN ")):
		return readPEM(text)
	case !json.Valid(text):
		return nil, errors.New("is neither a JWKS nor a PEM public key")
	}
	var one struct {
		Keys json.RawMessage `json:"keys"`
		Kty  string          `json:"kty"`
	}
	if json.Unmarshal(text, &one) == nil && one.Keys == nil && one.Kty != "" {
		return append(append([]byte(`{"keys":[`), text...), "]}"...), nil
	}
	return text, nil
}

// readPEM: RFC 7468 §13, each block a public key.
func readPEM(text []byte) ([]byte, error) {
	var set jose.JSONWebKeySet
	for len(text) > 0 {
		block, rest := pem.Decode(text)
		switch {
		case block == nil:
			return nil, errors.New("is damaged PEM")
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			return nil, errors.New("is a private key, which nobody else may have: openssl pkey -in FILE -pubout writes the public one")
		case block.Type != "PUBLIC KEY":
			return nil, fmt.Errorf("is a PEM %s: want a PUBLIC KEY", strings.ToLower(block.Type))
		}
		public, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("is a PEM public key that is damaged, or of a type that is not supported")
		}
		key := jose.JSONWebKey{Key: public, Use: "sig"}
		sum, err := key.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, errors.New("is a PEM public key of a type that is not supported")
		}
		key.KeyID = base64.RawURLEncoding.EncodeToString(sum)
		set.Keys, text = append(set.Keys, key), bytes.TrimSpace(rest)
	}
	return json.Marshal(set)
}
