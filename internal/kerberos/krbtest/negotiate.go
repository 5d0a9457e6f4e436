package krbtest

import (
	"github.com/jcmturner/gokrb5/v8/gssapi"
	"github.com/jcmturner/gokrb5/v8/iana/keyusage"
	"github.com/jcmturner/gokrb5/v8/types"
)

// Mechanisms that clients offer, as DER OIDs.
const (
	MechKRB5   = "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"     // 1.2.840.113554.1.2.2
	MechMSKRB5 = "\x06\x09\x2a\x86\x48\x82\xf7\x12\x01\x02\x02"     // 1.2.840.48018.1.2.2
	MechNTLM   = "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a" // 1.3.6.1.4.1.311.2.2.10
	MechNEGOEX = "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e" // 1.3.6.1.4.1.311.2.2.30
	MechIAKERB = "\x06\x06\x2b\x06\x01\x05\x02\x05"                 // 1.3.6.1.5.2.5
)

// States of a NegTokenResp, RFC 4178 §4.2.2.
const (
	NegCompleted  = 0
	NegIncomplete = 1
	NegReject     = 2
	NegRequestMIC = 3
)

// NegTokenResp is a later token of an exchange, a client's or ours, RFC 4178
// §4.2.2. mech is a whole DER OID; what is empty or nil is left out.
func NegTokenResp(state byte, mech string, token, mic []byte) []byte {
	body := wrap(0xa0, []byte{0x0a, 1, state})
	if mech != "" {
		body = append(body, wrap(0xa1, []byte(mech))...)
	}
	if token != nil {
		body = append(body, wrap(0xa2, wrap(0x04, token))...)
	}
	if mic != nil {
		body = append(body, wrap(0xa3, wrap(0x04, mic))...)
	}
	return wrap(0xa1, wrap(0x30, body))
}

// MechList is the DER of a client's list of mechanisms, which a MIC covers.
func MechList(mechs ...string) []byte {
	var list []byte
	for _, m := range mechs {
		list = append(list, m...)
	}
	return wrap(0x30, list)
}

// MIC is a client's MIC token over a message, RFC 4121 §4.2.6.1.
func MIC(key types.EncryptionKey, message []byte) ([]byte, error) {
	token, err := gssapi.NewInitiatorMICToken(message, key)
	if err != nil {
		return nil, err
	}
	return token.Marshal()
}

// CheckMIC verifies a service's MIC token over a message.
func CheckMIC(key types.EncryptionKey, token, message []byte) error {
	m := gssapi.MICToken{Payload: message}
	if err := m.Unmarshal(token, true); err != nil {
		return err
	}
	_, err := m.Verify(key, keyusage.GSSAPI_ACCEPTOR_SIGN)
	return err
}
