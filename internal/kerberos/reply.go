package kerberos

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"fmt"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// makeReply is the token that proves us to the client.
func makeReply(o *offer, session wire.Key, auth *wire.Authenticator) ([]byte, error) {
	rep, err := wire.APRep(session, auth)
	if err != nil {
		return nil, fmt.Errorf("make AP-REP: %w", err)
	}
	if !o.spnego {
		return frame(rep), nil
	}
	ours, err := o.answerMIC(session, auth)
	if err != nil {
		return nil, err
	}
	return negTokenResp(negCompleted, o.mechs[0], frame(rep), ours), nil
}

// answerMIC verifies the client's mechListMIC, if it sent one, and makes ours.
// Kerberos was the client's first choice, so none is needed (RFC 4178 §5), but
// whoever sends one gets one back.
func (o *offer) answerMIC(session wire.Key, auth *wire.Authenticator) ([]byte, error) {
	if o.mic == nil {
		return nil, nil
	}
	key := session
	if auth.Subkey.Etype != 0 {
		key = auth.Subkey
	}
	if err := checkMIC(key, o.mic, o.mechList); err != nil {
		return nil, &reason.Error{Reason: reason.Malformed, Detail: "mechListMIC", Err: err}
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

// checkMIC verifies the initiator's MIC token over msg. Only AES keys make such
// tokens; RC4's look different (RFC 4757 §7.2) and are not accepted here.
func checkMIC(k wire.Key, token, msg []byte) error {
	if !wire.IsAES(k.Etype) || len(token) < 16 {
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
