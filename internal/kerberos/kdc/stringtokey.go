package kdc

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf16"

	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Bounds of PBKDF2 iterations: the default of RFC 3962 §4 is the least a KDC
// may ask for; the most is some seconds of CPU, for a stranger can ask.
const (
	minIterations = 4096
	maxIterations = 500_000
)

// stringToKey is RFC 3962 §4, RFC 8009 §4 or RFC 4757 §2.
func stringToKey(password string, client wire.Principal, info wire.EtypeInfo) (wire.Key, error) {
	if info.Etype == etypeID.RC4_HMAC {
		var b []byte
		for _, u := range utf16.Encode([]rune(password)) {
			b = binary.LittleEndian.AppendUint16(b, u)
		}
		// The library's own string-to-key misreads everything outside ASCII; its
		// random-to-key is the MD4 that the RFC wants.
		return wire.Key{Etype: info.Etype, Value: crypto.RC4HMAC{}.RandomToKey(b)}, nil
	}
	et, err := crypto.GetEtype(info.Etype)
	if err != nil {
		return wire.Key{}, err
	}
	params := et.GetDefaultStringToKeyParams()
	if len(info.Params) == 4 {
		params = hex.EncodeToString(info.Params)
		if n := binary.BigEndian.Uint32(info.Params); n < minIterations || n > maxIterations {
			return wire.Key{}, reason.Refuse(reason.KDCError, fmt.Sprintf("the KDC asks for %d iterations", n))
		}
	}
	salt := client.Realm + strings.Join(client.Components, "") // RFC 4120 §4
	if info.Salt != nil {
		salt = *info.Salt
	}
	k, err := et.StringToKey(password, salt, params)
	return wire.Key{Etype: info.Etype, Value: k}, err
}
