package kerberos

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"idp/internal/reason"
)

// makeAPRep proves to the client that we opened its ticket, RFC 4120 §3.2.4: its
// own time and sequence number, under the session key. No subkey of ours.
func makeAPRep(session keyBlock, a *authenticator) ([]byte, error) {
	body := tlv(contextTag(0), derTime(a.ctime))
	body = appendTLV(body, contextTag(1), derInt(a.cusec))
	if a.sequence != nil {
		body = appendTLV(body, contextTag(3), derInt(int64(*a.sequence)))
	}
	k, err := newSealKey(session, usageAPRep)
	if err != nil {
		return nil, err
	}
	ct, err := k.seal(tlv(appEncAPRepPart, tlv(tagSequence, body)))
	if err != nil {
		return nil, err
	}
	enc := tlv(contextTag(0), derInt(int64(session.etype)))
	enc = appendTLV(enc, contextTag(2), tlv(tagOctetString, ct))
	rep := tlv(contextTag(0), derInt(pvno))
	rep = appendTLV(rep, contextTag(1), derInt(msgAPRep))
	rep = appendTLV(rep, contextTag(2), tlv(tagSequence, enc))
	return tlv(appAPRep, tlv(tagSequence, rep)), nil
}

// makeReply is the token that proves us to the client.
func makeReply(o *offer, session keyBlock, auth *authenticator) ([]byte, error) {
	rep, err := makeAPRep(session, auth)
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
func (o *offer) answerMIC(session keyBlock, auth *authenticator) ([]byte, error) {
	if o.mic == nil {
		return nil, nil
	}
	key := session
	if auth.subkey.etype != 0 {
		key = auth.subkey
	}
	if err := checkMIC(key, o.mic, o.mechList); err != nil {
		return nil, &reason.Error{Reason: reason.Malformed, Detail: "mechListMIC", Err: err}
	}
	var seq uint32
	if auth.sequence != nil {
		seq = *auth.sequence
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
func mic(k keyBlock, seq uint32, msg []byte) ([]byte, error) {
	head := []byte{4, 4, sentByAcceptor, 0xff, 0xff, 0xff, 0xff, 0xff}
	head = binary.BigEndian.AppendUint64(head, uint64(seq))
	_, sum, err := checksum(k, usageAcceptorSign, msg, head)
	return append(head, sum...), err
}

// checkMIC verifies the initiator's MIC token over msg. Only AES keys make such
// tokens; RC4's look different (RFC 4757 §7.2) and are not accepted here.
func checkMIC(k keyBlock, token, msg []byte) error {
	if _, ok := suiteOf(k.etype); !ok || len(token) < 16 {
		return errIntegrity
	}
	head := token[:16]
	if !bytes.Equal(head[:2], []byte{4, 4}) || head[2]&(sentByAcceptor|acceptorSubkey) != 0 {
		return errIntegrity
	}
	_, sum, err := checksum(k, usageInitiatorSign, msg, head)
	if err != nil || !equal(sum, token[16:]) {
		return errIntegrity
	}
	return nil
}
