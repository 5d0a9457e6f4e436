package secret

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"strings"
)

// ErrSealed means that a sealed value cannot be opened with any key of the ring.
var ErrSealed = errors.New("no key of secret_key_file opens this value")

// maxKeys bounds the lines of a key file: more than a few is a mistake.
const maxKeys = 16

// Ring is the content of secret_key_file: one key of 256 bits a line, in
// base64url. The first key seals and signs, all keys open and verify, so that a
// key is replaced by putting a new line on top. Keys for single purposes are
// derived with HKDF-SHA-256 (RFC 5869) and never used for another.
// A Ring is immutable and safe for concurrent use.
type Ring struct{ keys [][]byte }

// NewRing makes a ring of one random key.
func NewRing() *Ring { return &Ring{keys: [][]byte{Bytes(32)}} }

// ReadRing reads the key file at path.
func ReadRing(path string) (*Ring, error) {
	raw, err := os.ReadFile(path) //nolint:gosec // the admin names the file
	if err != nil {
		return nil, fmt.Errorf("secret_key_file: %w", err)
	}
	r := &Ring{}
	for n, line := range bytes.Split(raw, []byte("\n")) {
		text := strings.TrimSpace(string(line))
		if text == "" {
			continue
		}
		key, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || len(key) != 32 {
			return nil, fmt.Errorf("secret_key_file %s, line %d: want 32 bytes in base64url (43 characters)", path, n+1)
		}
		r.keys = append(r.keys, key)
	}
	if len(r.keys) == 0 || len(r.keys) > maxKeys {
		return nil, fmt.Errorf("secret_key_file %s: want 1 to %d keys, one a line, found %d", path, maxKeys, len(r.keys))
	}
	return r, nil
}

// WriteNew writes the ring to a new file with mode 0600 and never replaces one.
func (r *Ring) WriteNew(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the admin names the file
	if err != nil {
		return fmt.Errorf("secret_key_file: %w", err)
	}
	var text strings.Builder
	for _, k := range r.keys {
		text.WriteString(base64.RawURLEncoding.EncodeToString(k) + "\n")
	}
	_, err = f.WriteString(text.String())
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("secret_key_file %s: %w", path, err)
	}
	return nil
}

// Derive returns the keys of 32 bytes for one purpose, the signing one first.
func (r *Ring) Derive(purpose string) [][]byte {
	out := make([][]byte, len(r.keys))
	for i, k := range r.keys {
		key, err := hkdf.Key(sha256.New, k, nil, "idp "+purpose, 32)
		if err != nil { // only a length above 255 hashes can fail
			panic(err)
		}
		out[i] = key
	}
	return out
}

// Seal encrypts plaintext with AES-256-GCM under the first key. The purpose and
// the context (a row's key, say) are authenticated: a value moved to another
// row does not open.
func (r *Ring) Seal(purpose, context string, plaintext []byte) []byte {
	gcm := sealer(r.Derive("seal " + purpose)[0])
	nonce := Bytes(gcm.NonceSize())
	return gcm.Seal(nonce, nonce, plaintext, []byte(context))
}

// Open reverses Seal with whichever key fits; ErrSealed when none does.
func (r *Ring) Open(purpose, context string, sealed []byte) ([]byte, error) {
	for _, key := range r.Derive("seal " + purpose) {
		if plain, err := open(key, context, sealed); err == nil {
			return plain, nil
		}
	}
	return nil, ErrSealed
}

// Fresh reports whether the first key opens sealed. What only a later one opens
// is to be sealed anew: then its line can leave the file.
func (r *Ring) Fresh(purpose, context string, sealed []byte) bool {
	_, err := open(r.Derive("seal " + purpose)[0], context, sealed)
	return err == nil
}

func open(key []byte, context string, sealed []byte) ([]byte, error) {
	gcm := sealer(key)
	n := gcm.NonceSize()
	if len(sealed) < n {
		return nil, ErrSealed
	}
	return gcm.Open(nil, sealed[:n], sealed[n:], []byte(context))
}

func sealer(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil { // only a wrong key length can fail, and Derive makes 32 bytes
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

// MAC is HMAC-SHA-256 over message with each key in turn: sums[0] is what to
// issue, any of them is what to accept.
func MAC(keys [][]byte, message []byte) (sums [][]byte) {
	for _, k := range keys {
		m := hmac.New(sha256.New, k)
		m.Write(message)
		sums = append(sums, m.Sum(nil))
	}
	return sums
}

// Verify reports whether sum is the MAC of message under any of the keys.
func Verify(keys [][]byte, message, sum []byte) bool {
	ok := false
	for _, want := range MAC(keys, message) {
		ok = hmac.Equal(want, sum) || ok
	}
	return ok
}
