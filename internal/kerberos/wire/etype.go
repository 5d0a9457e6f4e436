package wire

import (
	"fmt"

	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
)

// Key usages, RFC 4120 §7.5.1: a key seals different messages differently.
const (
	UsageTimestamp     = keyusage.AS_REQ_PA_ENC_TIMESTAMP
	UsageTicket        = keyusage.KDC_REP_TICKET
	UsageASRep         = keyusage.AS_REP_ENCPART
	UsageTGSRep        = keyusage.TGS_REP_ENCPART_SESSION_KEY
	UsageAuthenticator = keyusage.AP_REQ_AUTHENTICATOR
	UsageAPRep         = keyusage.AP_REP_ENCPART
	UsagePAC           = keyusage.KERB_NON_KERB_CKSUM_SALT
)

// IsAES reports whether an encryption type is one of RFC 3962 and RFC 8009.
func IsAES(etype int32) bool {
	_, ok := suiteOf(etype)
	return ok
}

// EtypeName names an encryption type for people.
func EtypeName(etype int32) string {
	names := map[int32]string{
		1: "des-cbc-crc", 2: "des-cbc-md4", 3: "des-cbc-md5", 16: "des3-cbc-sha1",
		17: "aes128-cts-hmac-sha1-96", 18: "aes256-cts-hmac-sha1-96",
		19: "aes128-cts-hmac-sha256-128", 20: "aes256-cts-hmac-sha384-192",
		23: "rc4-hmac", 24: "rc4-hmac-exp", 25: "camellia128-cts-cmac", 26: "camellia256-cts-cmac",
	}
	if n, ok := names[etype]; ok {
		return n
	}
	return fmt.Sprintf("etype %d", etype)
}
