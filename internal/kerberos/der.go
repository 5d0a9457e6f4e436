package kerberos

import (
	"errors"
	"slices"
	"time"
)

// ASN.1 tags that Kerberos and SPNEGO use, X.690 §8.1.2. Every tag number is
// below 31, so a tag is one byte.
const (
	tagInteger     = 0x02
	tagBitString   = 0x03
	tagOctetString = 0x04
	tagOID         = 0x06
	tagEnumerated  = 0x0a
	tagTime        = 0x18 // GeneralizedTime
	tagString      = 0x1b // GeneralString, KerberosString of RFC 4120 §5.2.1
	tagSequence    = 0x30

	appTicket        = 0x61
	appAuthenticator = 0x62
	appEncTicketPart = 0x63
	appAPReq         = 0x6e
	appAPRep         = 0x6f
	appEncAPRepPart  = 0x7b
)

func contextTag(n int) byte { return byte(0xa0 | n) } //nolint:gosec // n is below 31

var errDER = errors.New("not the expected DER")

// decoder reads DER without copying. The first mistake sticks in err and makes
// every later call return a zero value, so that a message can be read top to
// bottom and checked once. It never looks beyond the slice it is given, does
// not recurse by itself and allocates nothing but the results.
type decoder struct{ err error }

func (d *decoder) fail() { d.err = errDER }

// split takes one element off the front of b.
func (d *decoder) split(b []byte) (tag byte, body, rest []byte) {
	if d.err != nil || len(b) < 2 || b[0]&0x1f == 0x1f {
		d.fail()
		return 0, nil, nil
	}
	n, head := int(b[1]), 2
	if n >= 0x80 {
		// The long form. 0x80 alone is the indefinite length of BER.
		size := n & 0x7f
		if size == 0 || size > 3 || len(b) < 2+size {
			d.fail()
			return 0, nil, nil
		}
		n, head = 0, 2+size
		for _, c := range b[2:head] {
			n = n<<8 | int(c)
		}
	}
	if n > len(b)-head {
		d.fail()
		return 0, nil, nil
	}
	return b[0], b[head : head+n : head+n], b[head+n:]
}

// only returns the body of the one element that b must be, with this tag.
func (d *decoder) only(b []byte, tag byte) []byte {
	t, body, rest := d.split(b)
	if d.err != nil || t != tag || len(rest) != 0 {
		d.fail()
		return nil
	}
	return body
}

// fields is the number of explicit context tags a SEQUENCE may have here.
type fields [13][]byte

// sequence reads a SEQUENCE of fields [0]…[12], each at most once and in order.
// An absent field is nil, a present one is never empty. Higher numbers are an
// error: the messages we read have none.
func (d *decoder) sequence(b []byte) (f fields) {
	b = d.only(b, tagSequence)
	last := -1
	for len(b) > 0 && d.err == nil {
		var tag byte
		var body []byte
		tag, body, b = d.split(b)
		n := int(tag) - int(contextTag(0))
		if d.err != nil || n <= last || n >= len(f) || len(body) == 0 {
			d.fail()
			return fields{}
		}
		f[n], last = body, n //nolint:gosec // n is above last, so not negative, and below len(f)
	}
	return f
}

// integer reads an INTEGER that fits 64 bits.
func (d *decoder) integer(b []byte) int64 {
	body := d.only(b, tagInteger)
	if d.err != nil || len(body) == 0 || len(body) > 8 {
		d.fail()
		return 0
	}
	v := int64(int8(body[0])) //nolint:gosec // the sign is what we want
	for _, c := range body[1:] {
		v = v<<8 | int64(c)
	}
	return v
}

// int32 reads an INTEGER that fits 32 bits (Int32 of RFC 4120 §5.2.4).
func (d *decoder) int32(b []byte) int32 {
	v := d.integer(b)
	if v != int64(int32(v)) { //nolint:gosec // the check itself
		d.fail()
		return 0
	}
	return int32(v) //nolint:gosec // it fits, as seen above
}

// uint32 reads an INTEGER as 32 bits without sign. Some clients write the upper
// half as negative numbers (RFC 4121 implementers' note on sequence numbers).
func (d *decoder) uint32(b []byte) uint32 {
	v := d.integer(b)
	if v < -1<<31 || v >= 1<<32 {
		d.fail()
		return 0
	}
	return uint32(v)
}

// flags reads KerberosFlags: at least 32 bits, of which we know the first 32
// (RFC 4120 §5.2.8).
func (d *decoder) flags(b []byte) (v uint32) {
	body := d.only(b, tagBitString)
	if d.err != nil || len(body) < 5 {
		d.fail()
		return 0
	}
	return uint32(body[1])<<24 | uint32(body[2])<<16 | uint32(body[3])<<8 | uint32(body[4])
}

// octets reads an OCTET STRING.
func (d *decoder) octets(b []byte) []byte { return d.only(b, tagOctetString) }

// name reads a KerberosString that is a realm or a component of a name.
func (d *decoder) name(b []byte) string {
	s := string(d.only(b, tagString))
	if d.err == nil && checkName(s) != nil {
		d.err = errName
	}
	return s
}

// time reads a KerberosTime: YYYYMMDDHHMMSSZ, RFC 4120 §5.2.3.
func (d *decoder) time(b []byte) time.Time {
	body := d.only(b, tagTime)
	if d.err != nil || len(body) != 15 || body[14] != 'Z' {
		d.fail()
		return time.Time{}
	}
	two := func(i int) int {
		x, y := body[i]-'0', body[i+1]-'0'
		if x > 9 || y > 9 {
			d.fail()
		}
		return int(x)*10 + int(y)
	}
	month, day, hour, minute, sec := two(4), two(6), two(8), two(10), two(12)
	year := two(0)*100 + two(2)
	if d.err != nil || month < 1 || month > 12 || day < 1 || day > 31 || hour > 23 || minute > 59 || sec > 60 {
		d.fail()
		return time.Time{}
	}
	return time.Date(year, time.Month(month), day, hour, minute, sec, 0, time.UTC)
}

// principal reads a PrincipalName, RFC 4120 §5.2.2; the realm is elsewhere.
func (d *decoder) principal(b []byte) (p Principal) {
	f := d.sequence(b)
	p.NameType = d.int32(f[0])
	list := d.only(f[1], tagSequence)
	p.Components = make([]string, 0, 2)
	for len(list) > 0 && d.err == nil {
		tag, _, rest := d.split(list)
		if d.err != nil || tag != tagString || len(p.Components) == maxComponents {
			d.fail()
			return Principal{}
		}
		p.Components = append(p.Components, d.name(list[:len(list)-len(rest)]))
		list = rest
	}
	if len(p.Components) == 0 {
		d.fail()
	}
	return p
}

// sealed is an EncryptedData, RFC 4120 §5.2.9.
type sealed struct {
	etype  int32
	kvno   uint32 // 0: absent
	cipher []byte
}

func (d *decoder) sealed(b []byte) (s sealed) {
	f := d.sequence(b)
	s.etype = d.int32(f[0])
	if f[1] != nil {
		s.kvno = d.uint32(f[1])
	}
	s.cipher = d.octets(f[2])
	return s
}

// keyBlock is an EncryptionKey, RFC 4120 §5.2.9.
type keyBlock struct {
	etype int32
	value []byte
}

func (d *decoder) key(b []byte) (k keyBlock) {
	f := d.sequence(b)
	k.etype = d.int32(f[0])
	k.value = d.octets(f[1])
	return k
}

// appendTLV appends one element whose body is the concatenation of parts.
func appendTLV(b []byte, tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b = append(slices.Grow(b, n+5), tag)
	switch {
	case n < 0x80:
		b = append(b, byte(n))
	case n < 0x100:
		b = append(b, 0x81, byte(n))
	case n < 0x10000:
		b = append(b, 0x82, byte(n>>8), byte(n))
	default:
		b = append(b, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// tlv is appendTLV to a new slice.
func tlv(tag byte, parts ...[]byte) []byte { return appendTLV(nil, tag, parts...) }

// derInt is an INTEGER.
func derInt(v int64) []byte {
	n := 1
	for x := v; x > 127 || x < -128; x >>= 8 {
		n++
	}
	b := make([]byte, 2, 2+n)
	b[0], b[1] = tagInteger, byte(n)
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i))) //nolint:gosec // cut into bytes
	}
	return b
}

// derTime is a KerberosTime; fractions of a second are dropped.
func derTime(t time.Time) []byte {
	return t.UTC().AppendFormat([]byte{tagTime, 15}, "20060102150405Z")
}
