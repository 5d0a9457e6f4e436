package wire

import (
	"fmt"
	"time"
)

// APRep proves to the client that we opened its ticket, RFC 4120 §3.2.4: its
// own time and sequence number, under the session key. No subkey of ours.
func APRep(session Key, a *Authenticator) ([]byte, error) {
	body := TLV(Context(0), Time(a.CTime))
	body = AppendTLV(body, Context(1), Int(a.CUsec))
	if a.Sequence != nil {
		body = AppendTLV(body, Context(3), Int(int64(*a.Sequence)))
	}
	k, err := NewSealKey(session, UsageAPRep)
	if err != nil {
		return nil, err
	}
	ct, err := k.Seal(TLV(AppEncAPRepPart, TLV(TagSequence, body)))
	if err != nil {
		return nil, err
	}
	rep := TLV(Context(0), Int(pvno))
	rep = AppendTLV(rep, Context(1), Int(msgAPRep))
	rep = AppendTLV(rep, Context(2), EncryptedData(session.Etype, ct))
	return TLV(AppAPRep, TLV(TagSequence, rep)), nil
}

// APRepPart is the sealed part of an AP-REP, as far as it proves something.
type APRepPart struct {
	CTime time.Time // the authenticator's, whole seconds
	CUsec int64
}

// OpenAPRep opens an AP-REP, RFC 4120 §5.5.2, with the session key of the ticket that
// it answers. ErrIntegrity means that it was made with another key.
func OpenAPRep(session Key, b []byte) (p APRepPart, err error) {
	var d Decoder
	f := d.Sequence(d.Only(b, AppAPRep))
	version, kind := d.Integer(f[0]), d.Integer(f[1])
	part := d.Sealed(f[2])
	if d.Err == nil && (version != pvno || kind != msgAPRep) {
		d.Fail()
	}
	if d.Err != nil {
		return p, fmt.Errorf("AP-REP: %w", d.Err)
	}
	if part.Etype != session.Etype {
		return p, ErrIntegrity
	}
	k, err := NewSealKey(session, UsageAPRep)
	if err != nil {
		return p, err
	}
	plain, err := k.Open(part.Cipher)
	if err != nil {
		return p, err
	}
	f = d.Sequence(d.Only(plain, AppEncAPRepPart))
	p.CTime, p.CUsec = d.Time(f[0]), d.Integer(f[1])
	return p, d.Err
}
