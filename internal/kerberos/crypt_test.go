package kerberos

import (
	"bytes"
	"testing"

	"github.com/jcmturner/gokrb5/v8/crypto"
)

// TestCryptMatchesTheLibrary: what one seals the other opens, for every length
// around the block size, where ciphertext stealing has its corners.
func TestCryptMatchesTheLibrary(t *testing.T) {
	for _, etype := range allEtypes {
		et, err := crypto.GetEtype(etype)
		must(t, err)
		size := 16
		if etype == 18 || etype == 20 {
			size = 32
		}
		key := keyBlock{etype, bytes.Repeat([]byte{byte(etype)}, size)}
		for _, usage := range []uint32{usageTicket, usageAuthenticator, usageAPRep, 1000} {
			k, err := newSealKey(key, usage)
			must(t, err)
			for n := range 70 {
				plain := bytes.Repeat([]byte{byte(n)}, n)
				ours, err := k.seal(plain)
				must(t, err)
				got, err := et.DecryptMessage(key.value, ours, usage)
				if err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("%s, %d bytes: the library does not open ours: %v", etypeName(etype), n, err)
				}
				_, theirs, err := et.EncryptMessage(key.value, plain, usage)
				must(t, err)
				before := append([]byte(nil), theirs...)
				got, err = k.open(theirs)
				if err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("%s, %d bytes: we do not open the library's: %v", etypeName(etype), n, err)
				}
				if !bytes.Equal(before, theirs) {
					t.Fatal("open changed the ciphertext")
				}
				for i := range theirs {
					theirs[i] ^= 0x80
					if _, err := k.open(theirs); err == nil {
						t.Fatalf("%s: opened with byte %d changed", etypeName(etype), i)
					}
					theirs[i] ^= 0x80
				}
			}
			kind, sum, err := checksum(key, usage, []byte("two "), []byte("parts"))
			must(t, err)
			if kind != et.GetHashID() || !et.VerifyChecksum(key.value, []byte("two parts"), sum, usage) {
				t.Errorf("%s: checksum differs", etypeName(etype))
			}
		}
	}
}

func TestKeysOfTheWrongSizeAreRefused(t *testing.T) {
	for _, etype := range append(allEtypes, 1, 3, 16, 99) {
		for _, n := range []int{0, 1, 15, 17, 31, 33} {
			if _, err := newSealKey(keyBlock{etype, make([]byte, n)}, 2); err == nil {
				t.Errorf("%s: a key of %d bytes is accepted", etypeName(etype), n)
			}
		}
	}
}
