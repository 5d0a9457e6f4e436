package spnego

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// answerMIC verifies the client's mechListMIC, if it sent one, and makes ours.
// Where Kerberos was the client's first choice none is needed (RFC 4178 §5), but
// whoever sends one gets one back; where it was not, both sides owe one.
func (o *Offer) answerMIC(session wire.Key, auth *wire.Authenticator) ([]byte, error) {
	if o.mic == nil && !o.Second {
		return nil, nil
	}
	key := session
	if auth.Subkey.Etype != 0 {
		key = auth.Subkey
	}
	if !wire.IsAES(key.Etype) { // RC4's look different (RFC 4757 §7.2)
		return nil, reason.Refuse(reason.Etype, "a mechListMIC is needed, and none is made with "+wire.EtypeName(key.Etype))
	}
	if o.mic != nil {
		if err := checkMIC(key, o.mic, o.mechList); err != nil {
			return nil, &reason.Error{Reason: reason.Malformed, Detail: "mechListMIC", Err: err}
		}
	}
	var seq uint32
	if auth.Sequence != nil {
		seq = *auth.Sequence
	}
	return mic(key, seq, o.mechList)
}

// Key usages and flags of MIC tokens, RFC 4121 §2, §4.2.2.
const (
	usageAcceptorSign  = 23
	usageInitiatorSign = 25
	sentByAcceptor     = 0x01
	acceptorSubkey     = 0x04
)

// mic makes the acceptor's MIC token over msg, RFC 4121 §4.2.6.1.
func mic(k wire.Key, seq uint32, msg []byte) ([]byte, error) {
	head := []byte{4, 4, sentByAcceptor, 0xff, 0xff, 0xff, 0xff, 0xff}
	head = binary.BigEndian.AppendUint64(head, uint64(seq))
	_, sum, err := wire.Checksum(k, usageAcceptorSign, msg, head)
	return append(head, sum...), err
}

// checkMIC verifies the initiator's MIC token over msg; k is an AES key.
func checkMIC(k wire.Key, token, msg []byte) error {
	if len(token) < 16 {
		return wire.ErrIntegrity
	}
	head := token[:16]
	if !bytes.Equal(head[:2], []byte{4, 4}) || head[2]&(sentByAcceptor|acceptorSubkey) != 0 {
		return wire.ErrIntegrity
	}
	_, sum, err := wire.Checksum(k, usageInitiatorSign, msg, head)
	if err != nil || !hmac.Equal(sum, token[16:]) {
		return wire.ErrIntegrity
	}
	return nil
}
