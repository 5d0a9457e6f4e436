package wire

import (
	"net"
	"time"
)

// KRB-PRIV, RFC 4120 §5.7.1: a message that only whoever has the key can read or make.
const (
	appPrivate    = 0x75
	appEncPrivate = 0x7c
	msgPrivate    = 21
	usagePrivate  = 13 // §7.5.1
)

// Types of host addresses, RFC 4120 §7.5.3.
const (
	addressIPv4 = 2
	addressIPv6 = 24
)

// Private writes a KRB-PRIV of data, with the time, a sequence number and the
// sender's address, which it must have.
func Private(key Key, data []byte, now time.Time, sequence uint32, from net.Addr) ([]byte, error) {
	b := TLV(Context(0), TLV(TagOctetString, data))
	b = AppendTLV(b, Context(1), Time(now))
	b = AppendTLV(b, Context(2), Int(int64(now.Nanosecond()/1000)))
	b = AppendTLV(b, Context(3), Int(int64(sequence)))
	b = AppendTLV(b, Context(4), hostAddress(from))
	k, err := NewSealKey(key, usagePrivate)
	if err != nil {
		return nil, err
	}
	ct, err := k.Seal(TLV(appEncPrivate, TLV(TagSequence, b)))
	if err != nil {
		return nil, err
	}
	m := TLV(Context(0), Int(pvno))
	m = AppendTLV(m, Context(1), Int(msgPrivate))
	m = AppendTLV(m, Context(3), EncryptedData(key.Etype, ct))
	return TLV(appPrivate, TLV(TagSequence, m)), nil
}

// hostAddress writes a HostAddress, RFC 4120 §5.2.5; 0.0.0.0 of what has none.
func hostAddress(a net.Addr) []byte {
	var ip net.IP
	switch a := a.(type) {
	case *net.TCPAddr:
		ip = a.IP
	case *net.UDPAddr:
		ip = a.IP
	}
	kind, text := int64(addressIPv4), ip.To4()
	if text == nil && len(ip) == net.IPv6len {
		kind, text = addressIPv6, ip
	} else if text == nil {
		text = net.IPv4zero.To4()
	}
	return TLV(TagSequence, TLV(Context(0), Int(kind)), TLV(Context(1), TLV(TagOctetString, text)))
}

// OpenPrivate reads the data of a KRB-PRIV made with key. Its time and sequence
// number are not looked at: the key is good for one answer only.
func OpenPrivate(key Key, b []byte) ([]byte, error) {
	var d Decoder
	f := d.Sequence(d.Only(b, appPrivate))
	version, kind := d.Integer(f[0]), d.Integer(f[1])
	part := d.Sealed(f[3])
	if d.Err != nil {
		return nil, d.Err
	}
	if version != pvno || kind != msgPrivate || part.Etype != key.Etype {
		return nil, ErrIntegrity
	}
	k, err := NewSealKey(key, usagePrivate)
	if err != nil {
		return nil, err
	}
	plain, err := k.Open(part.Cipher)
	if err != nil {
		return nil, err
	}
	f = d.Sequence(d.Only(plain, appEncPrivate))
	data := d.Octets(f[0])
	return data, d.Err
}
