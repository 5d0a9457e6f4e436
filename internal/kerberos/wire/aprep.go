package wire

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
