package wire

import (
	"bytes"
	"testing"

	"github.com/jcmturner/gokrb5/v8/crypto"
)

// supported are the encryption types we can read; the policy is the caller's.
var supported = []int32{17, 18, 19, 20, 23}

// TestCryptMatchesTheLibrary: what one seals the other opens, for every length
// around the block size, where ciphertext stealing has its corners.
func TestCryptMatchesTheLibrary(t *testing.T) {
	for _, etype := range supported {
		et, err := crypto.GetEtype(etype)
		must(t, err)
		size := 16
		if etype == 18 || etype == 20 {
			size = 32
		}
		key := Key{Etype: etype, Value: bytes.Repeat([]byte{byte(etype)}, size)}
		for _, usage := range []uint32{UsageTicket, UsageAuthenticator, UsageAPRep, 1000} {
			k, err := NewSealKey(key, usage)
			must(t, err)
			for n := range 70 {
				plain := bytes.Repeat([]byte{byte(n)}, n)
				ours, err := k.Seal(plain)
				must(t, err)
				got, err := et.DecryptMessage(key.Value, ours, usage)
				if err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("%s, %d bytes: the library does not open ours: %v", EtypeName(etype), n, err)
				}
				_, theirs, err := et.EncryptMessage(key.Value, plain, usage)
				must(t, err)
				before := append([]byte(nil), theirs...)
				got, err = k.Open(theirs)
				if err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("%s, %d bytes: we do not open the library's: %v", EtypeName(etype), n, err)
				}
				if !bytes.Equal(before, theirs) {
					t.Fatal("open changed the ciphertext")
				}
				for i := range theirs {
					theirs[i] ^= 0x80
					if _, err := k.Open(theirs); err == nil {
						t.Fatalf("%s: opened with byte %d changed", EtypeName(etype), i)
					}
					theirs[i] ^= 0x80
				}
			}
			kind, sum, err := Checksum(key, usage, []byte("two "), []byte("parts"))
			must(t, err)
			if kind != et.GetHashID() || !et.VerifyChecksum(key.Value, []byte("two parts"), sum, usage) {
				t.Errorf("%s: checksum differs", EtypeName(etype))
			}
		}
	}
}

func TestKeysOfTheWrongSizeAreRefused(t *testing.T) {
	for _, etype := range append(supported, 1, 3, 16, 99) {
		for _, n := range []int{0, 1, 15, 17, 31, 33} {
			if _, err := NewSealKey(Key{Etype: etype, Value: make([]byte, n)}, 2); err == nil {
				t.Errorf("%s: a key of %d bytes is accepted", EtypeName(etype), n)
			}
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
