// Package wire is what Kerberos sends: messages of RFC 4120, their DER, and the
// ciphers of RFC 3961, 3962, 4757 and 8009 that seal parts of them.
//
// A client's AP-REQ holds a Ticket, whose part only the service's key opens, and
// an Authenticator under the session key that is in that part. A KDC's AS-REP or
// TGS-REP holds a ticket for somebody else, and a part for the client. Whatever is
// outside a sealed part was written by whoever sent the bytes.
//
// Messages are read by a Decoder, top to bottom, and written by TLV and its
// friends. Nothing here judges: errors are plain, and the callers say what they
// mean (package reason). Every length is checked before it is used.
package wire

import (
	"errors"
	"time"
)

// ASN.1 tags that Kerberos and SPNEGO use, X.690 §8.1.2. Every tag number is
// below 31, so a tag is one byte.
const (
	TagInteger     = 0x02
	TagBitString   = 0x03
	TagOctetString = 0x04
	TagOID         = 0x06
	TagEnumerated  = 0x0a
	TagTime        = 0x18 // GeneralizedTime
	TagString      = 0x1b // GeneralString, KerberosString of RFC 4120 §5.2.1
	TagSequence    = 0x30
)

// Tags of an AP exchange and of what it holds, RFC 4120 §5.10.
const (
	AppTicket        = 0x61
	AppAuthenticator = 0x62
	AppEncTicketPart = 0x63
	AppAPReq         = 0x6e
	AppAPRep         = 0x6f
	AppEncAPRepPart  = 0x7b
)

// Context is the tag of field [n].
func Context(n int) byte { return byte(0xa0 | n) } //nolint:gosec // n is below 31

var errDER = errors.New("not the expected DER")

// Decoder reads DER without copying. The first mistake sticks in Err and makes
// every later call return a zero value, so that a message can be read top to
// bottom and checked once. It never looks beyond the slice it is given, does
// not recurse by itself and allocates nothing but the results.
type Decoder struct{ Err error }

// Fail marks what was read as wrong.
func (d *Decoder) Fail() { d.Err = errDER }

// Split takes one element off the front of b.
func (d *Decoder) Split(b []byte) (tag byte, body, rest []byte) {
	if d.Err != nil || len(b) < 2 || b[0]&0x1f == 0x1f {
		d.Fail()
		return 0, nil, nil
	}
	n, head := int(b[1]), 2
	if n >= 0x80 {
		// The long form. 0x80 alone is the indefinite length of BER.
		size := n & 0x7f
		if size == 0 || size > 3 || len(b) < 2+size {
			d.Fail()
			return 0, nil, nil
		}
		n, head = 0, 2+size
		for _, c := range b[2:head] {
			n = n<<8 | int(c)
		}
	}
	if n > len(b)-head {
		d.Fail()
		return 0, nil, nil
	}
	return b[0], b[head : head+n : head+n], b[head+n:]
}

// Only returns the body of the one element that b must be, with this tag.
func (d *Decoder) Only(b []byte, tag byte) []byte {
	t, body, rest := d.Split(b)
	if d.Err != nil || t != tag || len(rest) != 0 {
		d.Fail()
		return nil
	}
	return body
}

// Fields are the explicit context tags a SEQUENCE may have here.
type Fields [13][]byte

// Sequence reads a SEQUENCE of fields [0]…[12], each at most once and in order.
// An absent field is nil, a present one is never empty. Higher numbers are an
// error: the messages we read have none.
func (d *Decoder) Sequence(b []byte) (f Fields) {
	b = d.Only(b, TagSequence)
	last := -1
	for len(b) > 0 && d.Err == nil {
		var tag byte
		var body []byte
		tag, body, b = d.Split(b)
		n := int(tag) - int(Context(0))
		if d.Err != nil || n <= last || n >= len(f) || len(body) == 0 {
			d.Fail()
			return Fields{}
		}
		f[n], last = body, n //nolint:gosec // n is above last, so not negative, and below len(f)
	}
	return f
}

// Integer reads an INTEGER that fits 64 bits.
func (d *Decoder) Integer(b []byte) int64 {
	body := d.Only(b, TagInteger)
	if d.Err != nil || len(body) == 0 || len(body) > 8 {
		d.Fail()
		return 0
	}
	v := int64(int8(body[0])) //nolint:gosec // the sign is what we want
	for _, c := range body[1:] {
		v = v<<8 | int64(c)
	}
	return v
}

// Int32 reads an INTEGER that fits 32 bits (Int32 of RFC 4120 §5.2.4).
func (d *Decoder) Int32(b []byte) int32 {
	v := d.Integer(b)
	if v != int64(int32(v)) { //nolint:gosec // the check itself
		d.Fail()
		return 0
	}
	return int32(v) //nolint:gosec // it fits, as seen above
}

// Uint32 reads an INTEGER as 32 bits without sign. Some clients write the upper
// half as negative numbers (RFC 4121 implementers' note on sequence numbers).
func (d *Decoder) Uint32(b []byte) uint32 {
	v := d.Integer(b)
	if v < -1<<31 || v >= 1<<32 {
		d.Fail()
		return 0
	}
	return uint32(v)
}

// Flags reads KerberosFlags: at least 32 bits, of which we know the first 32
// (RFC 4120 §5.2.8).
func (d *Decoder) Flags(b []byte) (v uint32) {
	body := d.Only(b, TagBitString)
	if d.Err != nil || len(body) < 5 {
		d.Fail()
		return 0
	}
	return uint32(body[1])<<24 | uint32(body[2])<<16 | uint32(body[3])<<8 | uint32(body[4])
}

// Octets reads an OCTET STRING.
func (d *Decoder) Octets(b []byte) []byte { return d.Only(b, TagOctetString) }

// Name reads a KerberosString that is a realm or a component of a name.
func (d *Decoder) Name(b []byte) string {
	s := string(d.Only(b, TagString))
	if d.Err == nil && CheckName(s) != nil {
		d.Err = errName
	}
	return s
}

// Time reads a KerberosTime: YYYYMMDDHHMMSSZ, RFC 4120 §5.2.3.
func (d *Decoder) Time(b []byte) time.Time {
	body := d.Only(b, TagTime)
	if d.Err != nil || len(body) != 15 || body[14] != 'Z' {
		d.Fail()
		return time.Time{}
	}
	two := func(i int) int {
		x, y := body[i]-'0', body[i+1]-'0'
		if x > 9 || y > 9 {
			d.Fail()
		}
		return int(x)*10 + int(y)
	}
	month, day, hour, minute, sec := two(4), two(6), two(8), two(10), two(12)
	year := two(0)*100 + two(2)
	if d.Err != nil || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || sec > 60 {
		d.Fail()
		return time.Time{}
	}
	return time.Date(year, time.Month(month), day, hour, minute, sec, 0, time.UTC)
}

// Principal reads a PrincipalName, RFC 4120 §5.2.2; the realm is elsewhere.
func (d *Decoder) Principal(b []byte) (p Principal) {
	f := d.Sequence(b)
	p.NameType = d.Int32(f[0])
	list := d.Only(f[1], TagSequence)
	p.Components = make([]string, 0, 2)
	for len(list) > 0 && d.Err == nil {
		tag, _, rest := d.Split(list)
		if d.Err != nil || tag != TagString || len(p.Components) == maxComponents {
			d.Fail()
			return Principal{}
		}
		p.Components = append(p.Components, d.Name(list[:len(list)-len(rest)]))
		list = rest
	}
	if len(p.Components) == 0 {
		d.Fail()
	}
	return p
}

// Sealed is an EncryptedData, RFC 4120 §5.2.9.
type Sealed struct {
	Etype  int32
	KVNO   uint32 // 0: absent
	Cipher []byte
}

// Sealed reads an EncryptedData.
func (d *Decoder) Sealed(b []byte) (s Sealed) {
	f := d.Sequence(b)
	s.Etype = d.Int32(f[0])
	if f[1] != nil {
		s.KVNO = d.Uint32(f[1])
	}
	s.Cipher = d.Octets(f[2])
	return s
}

// Key is an EncryptionKey, RFC 4120 §5.2.9.
type Key struct {
	Etype int32
	Value []byte
}

// Key reads an EncryptionKey.
func (d *Decoder) Key(b []byte) (k Key) {
	f := d.Sequence(b)
	k.Etype = d.Int32(f[0])
	k.Value = d.Octets(f[1])
	return k
}
