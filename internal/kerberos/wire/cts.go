package wire

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// ctsDecrypt is CBC with ciphertext stealing and a zero IV, RFC 3962 §5: the last
// two blocks are swapped, the last one may be short. len(src) is at least 16.
func ctsDecrypt(b cipher.Block, dst, src []byte) {
	const size = aes.BlockSize
	if len(src) == size {
		b.Decrypt(dst, src)
		return
	}
	tail := (len(src)-1)%size + 1 // bytes in the last, short block
	head := len(src) - size - tail
	var iv, last [size]byte
	if head > 0 {
		cipher.NewCBCDecrypter(b, iv[:]).CryptBlocks(dst[:head], src[:head])
		copy(iv[:], src[head-size:head])
	}
	// src[head:] is Cn ‖ Cn-1*: Cn opens to (Pn ‖ stolen end of Cn-1) xor Cn-1.
	b.Decrypt(last[:], src[head:head+size])
	var prev [size]byte
	copy(prev[:], last[:])
	copy(prev[:], src[head+size:])
	subtle.XORBytes(dst[head+size:], last[:tail], prev[:tail])
	b.Decrypt(last[:], prev[:])
	subtle.XORBytes(dst[head:head+size], last[:], iv[:])
}

// ctsEncrypt is the reverse of ctsDecrypt.
func ctsEncrypt(b cipher.Block, dst, src []byte) {
	const size = aes.BlockSize
	if len(src) == size {
		b.Encrypt(dst, src)
		return
	}
	tail := (len(src)-1)%size + 1
	head := len(src) - tail // whole blocks before the last
	padded := make([]byte, head+size)
	copy(padded, src)
	cipher.NewCBCEncrypter(b, make([]byte, size)).CryptBlocks(padded, padded) //nolint:gosec // RFC 3962 §5: the IV is zero, a random confounder comes first
	copy(dst, padded[:head-size])
	copy(dst[head-size:], padded[head:])
	copy(dst[head:], padded[head-size:head-size+tail])
}
