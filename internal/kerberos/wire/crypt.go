package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // RFC 3962 prescribes HMAC-SHA1
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/crypto/rfc3961"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
)

// ErrIntegrity means that a ciphertext was not made with this key and usage.
var ErrIntegrity = errors.New("integrity check failed")

// suite is what differs between the AES encryption types.
type suite struct {
	keySize int // bytes of the protocol key and of Ke
	macKey  int // bytes of Ki and Kc
	macSize int // bytes of the truncated HMAC
	sumType int32
	hash    func() hash.Hash
	sha2    bool // RFC 8009: HMAC over the ciphertext, KDF by HMAC
}

// suiteOf returns the parameters of RFC 3962 §6 and RFC 8009 §5, 6.
func suiteOf(etype int32) (suite, bool) {
	switch etype {
	case etypeID.AES128_CTS_HMAC_SHA1_96:
		return suite{16, 16, 12, 15, sha1.New, false}, true
	case etypeID.AES256_CTS_HMAC_SHA1_96:
		return suite{32, 32, 12, 16, sha1.New, false}, true
	case etypeID.AES128_CTS_HMAC_SHA256_128:
		return suite{16, 16, 16, 19, sha256.New, true}, true
	case etypeID.AES256_CTS_HMAC_SHA384_192:
		return suite{32, 24, 24, 20, sha512.New384, true}, true
	}
	return suite{}, false
}

// SealKey opens and makes ciphertexts of one key and one usage. For AES it holds
// the derived keys Ke and Ki, which cost more than the decryption itself: for a
// keytab's key they are kept. Safe for concurrent use.
type SealKey struct {
	suite
	etype int32
	usage uint32
	block cipher.Block // AES under Ke; nil for RC4
	ki    []byte       // for RC4: the protocol key
}

// NewSealKey derives the keys. Only AES and RC4 exist here; which of them is
// allowed is the caller's policy.
func NewSealKey(k Key, usage uint32) (*SealKey, error) {
	if k.Etype == etypeID.RC4_HMAC {
		if len(k.Value) != 16 {
			return nil, fmt.Errorf("RC4 key of %d bytes", len(k.Value))
		}
		return &SealKey{etype: k.Etype, usage: usage, ki: k.Value}, nil
	}
	s, ok := suiteOf(k.Etype)
	if !ok || len(k.Value) != s.keySize {
		return nil, fmt.Errorf("key of etype %d and %d bytes", k.Etype, len(k.Value))
	}
	base, err := aes.NewCipher(k.Value)
	if err != nil {
		return nil, err
	}
	ke, err := aes.NewCipher(s.derive(base, k.Value, usage, 0xaa, s.keySize))
	if err != nil {
		return nil, err
	}
	return &SealKey{suite: s, etype: k.Etype, usage: usage, block: ke,
		ki: s.derive(base, k.Value, usage, 0x55, s.macKey)}, nil
}

// derive is RFC 3961 §5.1 (DK with AES) or RFC 8009 §3 (KDF-HMAC-SHA2) for the
// well-known constant usage ‖ purpose: 0xaa Ke, 0x55 Ki, 0x99 Kc.
func (s suite) derive(base cipher.Block, key []byte, usage uint32, purpose byte, size int) []byte {
	if s.sha2 {
		msg := make([]byte, 0, 14)
		msg = append(msg, 0, 0, 0, 1)
		msg = append(binary.BigEndian.AppendUint32(msg, usage), purpose, 0)
		msg = binary.BigEndian.AppendUint32(msg, uint32(size)*8) //nolint:gosec // at most 32
		m := hmac.New(s.hash, key)
		m.Write(msg)
		return m.Sum(nil)[:size]
	}
	out := make([]byte, 32)
	folded := foldUsage(usage, purpose)
	base.Encrypt(out, folded[:])
	base.Encrypt(out[16:], out[:16])
	return out[:size]
}

// foldUsage is n-fold(usage ‖ purpose) to 16 bytes, RFC 3961 §5.1.
func foldUsage(usage uint32, purpose byte) (out [16]byte) {
	if usage < uint32(len(folds)) {
		switch purpose {
		case 0xaa:
			return folds[usage].ke
		case 0x55:
			return folds[usage].ki
		}
	}
	return foldSlowly(usage, purpose)
}

func foldSlowly(usage uint32, purpose byte) (out [16]byte) {
	b := binary.BigEndian.AppendUint32(nil, usage)
	copy(out[:], rfc3961.Nfold(append(b, purpose), 128))
	return out
}

// folds are the n-folds of the usages of every accept. They are constants of
// RFC 3961 that take a third of an accept's time to compute.
var folds = func() (t [13]struct{ ke, ki [16]byte }) {
	for i := range t {
		t[i].ke = foldSlowly(uint32(i), 0xaa)
		t[i].ki = foldSlowly(uint32(i), 0x55)
	}
	return t
}()

// overhead is the number of bytes a ciphertext has more than its plaintext.
func (k *SealKey) overhead() int {
	if k.block == nil {
		return 16 + 8 // RFC 4757 §5: checksum, confounder
	}
	return aes.BlockSize + k.macSize
}

// Open checks and decrypts. The ciphertext is not changed.
func (k *SealKey) Open(ct []byte) ([]byte, error) {
	if len(ct) < k.overhead() {
		return nil, ErrIntegrity
	}
	if k.block == nil {
		pt, err := crypto.RC4HMAC{}.DecryptMessage(k.ki, ct, k.usage)
		if err != nil {
			return nil, ErrIntegrity
		}
		return pt, nil
	}
	body, mac := ct[:len(ct)-k.macSize], ct[len(ct)-k.macSize:]
	if k.sha2 && !hmac.Equal(mac, k.mac(make([]byte, aes.BlockSize), body)) {
		return nil, ErrIntegrity
	}
	pt := make([]byte, len(body))
	ctsDecrypt(k.block, pt, body)
	if !k.sha2 && !hmac.Equal(mac, k.mac(pt)) {
		return nil, ErrIntegrity
	}
	return pt[aes.BlockSize:], nil
}

// Seal encrypts with a new confounder.
func (k *SealKey) Seal(pt []byte) ([]byte, error) {
	if k.block == nil {
		_, ct, err := crypto.RC4HMAC{}.EncryptMessage(k.ki, pt, k.usage)
		return ct, err
	}
	n := aes.BlockSize + len(pt)
	plain := make([]byte, n)
	_, _ = rand.Read(plain[:aes.BlockSize])
	copy(plain[aes.BlockSize:], pt)
	ct := make([]byte, n, n+k.macSize)
	ctsEncrypt(k.block, ct, plain)
	if k.sha2 {
		return append(ct, k.mac(make([]byte, aes.BlockSize), ct)...), nil
	}
	return append(ct, k.mac(plain)...), nil
}

func (k *SealKey) mac(parts ...[]byte) []byte {
	m := hmac.New(k.hash, k.ki)
	for _, p := range parts {
		m.Write(p)
	}
	return m.Sum(make([]byte, 0, 64))[:k.macSize]
}

// Checksum is the keyed checksum of an encryption type (RFC 3961 §5.4, RFC 4757
// §4) over parts, as PACs and mechListMICs carry it, with its type.
func Checksum(k Key, usage uint32, parts ...[]byte) (int32, []byte, error) {
	if k.Etype == etypeID.RC4_HMAC && len(k.Value) == 16 {
		var all []byte
		for _, p := range parts {
			all = append(all, p...)
		}
		sum, err := crypto.RC4HMAC{}.GetChecksumHash(k.Value, all, usage)
		return crypto.RC4HMAC{}.GetHashID(), sum, err
	}
	s, ok := suiteOf(k.Etype)
	if !ok || len(k.Value) != s.keySize {
		return 0, nil, fmt.Errorf("no checksum for etype %d", k.Etype)
	}
	base, err := aes.NewCipher(k.Value)
	if err != nil {
		return 0, nil, err
	}
	m := hmac.New(s.hash, s.derive(base, k.Value, usage, 0x99, s.macKey))
	for _, p := range parts {
		m.Write(p)
	}
	return s.sumType, m.Sum(nil)[:s.macSize], nil
}
