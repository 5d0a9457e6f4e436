package ticket

import (
	"encoding/binary"
	"time"

	"idp/internal/kerberos/wire"
)

// reader takes things off the front; the first that is not there makes it bad, and
// all later ones empty.
type reader struct {
	rest  []byte
	twice bool // version 3 has the encryption type of a key twice
	bad   bool
}

func (r *reader) take(n int) []byte {
	if r.bad || n < 0 || n > len(r.rest) {
		r.bad, r.rest = true, nil
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) data() []byte {
	n := r.u32()
	if n > maxCache {
		r.bad = true
		return nil
	}
	return r.take(int(n))
}

// count is a number of parts.
func (r *reader) count() int {
	n := r.u32()
	if n > maxParts {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *reader) principal() (p wire.Principal) {
	p.NameType = int32(r.u32()) //nolint:gosec // a number with a sign, in 32 bits
	n := r.count()
	p.Realm = string(r.data())
	for range n {
		p.Components = append(p.Components, string(r.data()))
	}
	return p
}

func (r *reader) entry() (e entry) {
	e.client, e.server = r.principal(), r.principal()
	e.key.Etype = int32(int16(r.u16())) //nolint:gosec // negative ones are private
	if r.twice {
		r.u16()
	}
	e.key.Value = r.data()
	r.u32() // when it was got
	e.start = time.Unix(int64(r.u32()), 0)
	e.end = time.Unix(int64(r.u32()), 0)
	r.u32()   // renewable until
	r.take(1) // is_skey: for user-to-user
	e.flags = r.u32()
	for range 2 { // addresses, then authorization data
		for range r.count() {
			r.u16()
			r.data()
		}
	}
	e.ticket = r.data()
	r.data() // the second ticket, of user-to-user
	return e
}
