package wire

import (
	"slices"
	"time"
)

// AppendTLV appends one element whose body is the concatenation of parts.
func AppendTLV(b []byte, tag byte, parts ...[]byte) []byte {
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

// TLV is AppendTLV to a new slice.
func TLV(tag byte, parts ...[]byte) []byte { return AppendTLV(nil, tag, parts...) }

// Int is an INTEGER.
func Int(v int64) []byte {
	n := 1
	for x := v; x > 127 || x < -128; x >>= 8 {
		n++
	}
	b := make([]byte, 2, 2+n)
	b[0], b[1] = TagInteger, byte(n)
	for i := n - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i))) //nolint:gosec // cut into bytes
	}
	return b
}

// Time is a KerberosTime; fractions of a second are dropped.
func Time(t time.Time) []byte {
	return t.UTC().AppendFormat([]byte{TagTime, 15}, "20060102150405Z")
}
