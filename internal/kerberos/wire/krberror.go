package wire

import "time"

// msgError is the message number of KRB-ERROR, RFC 4120 §5.9.1.
const msgError = 30

// KRBErrorMessage writes a KRB-ERROR of a service, with our time, by which a
// client whose clock is off can set its own.
func KRBErrorMessage(code int32, now time.Time, service Principal) []byte {
	names := []byte{}
	for _, c := range service.Components {
		names = AppendTLV(names, TagString, []byte(c))
	}
	name := TLV(Context(0), Int(int64(service.NameType)))
	name = AppendTLV(name, Context(1), TLV(TagSequence, names))

	b := TLV(Context(0), Int(pvno))
	b = AppendTLV(b, Context(1), Int(msgError))
	b = AppendTLV(b, Context(4), Time(now))
	b = AppendTLV(b, Context(5), Int(int64(now.Nanosecond()/1000)))
	b = AppendTLV(b, Context(6), Int(int64(code)))
	b = AppendTLV(b, Context(9), TLV(TagString, []byte(service.Realm)))
	b = AppendTLV(b, Context(10), TLV(TagSequence, name))
	return TLV(AppError, TLV(TagSequence, b))
}
