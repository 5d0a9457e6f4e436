package ticket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Bounds of a cache.
const (
	maxCache = 4 << 20 // bytes
	maxParts = 1024    // components, addresses and the like in one entry
)

// cache is a credential cache.
type cache struct {
	name    string // as KRB5CCNAME has it
	client  wire.Principal
	entries []entry
}

// entry is one ticket, as far as it is of use to us.
type entry struct {
	client, server wire.Principal
	key            wire.Key
	end            time.Time
	flags          uint32
	ticket         []byte // DER
}

var errCache = errors.New("not a credential cache of version 3 or 4, or one that is cut off; kinit writes a new one")

// parseCache reads the formats that MIT Kerberos, Heimdal (4) and Java (3) write: see
// "Credential cache file format" in MIT's documentation.
func parseCache(b []byte) (*cache, error) {
	if len(b) < 2 || b[0] != 5 || b[1] != 3 && b[1] != 4 {
		return nil, errCache
	}
	r := &reader{rest: b[2:], twice: b[1] == 3}
	if b[1] == 4 {
		r.take(int(r.u16())) // clock offsets, which others than the KDC do not know of
	}
	c := &cache{client: r.principal()}
	for len(r.rest) > 0 && !r.bad {
		c.entries = append(c.entries, r.entry())
	}
	if r.bad || checkPrincipal(c.client) != nil {
		return nil, errCache
	}
	return c, nil
}

// tgt is the ticket-granting ticket of the cache's principal that lasts longest.
func (c *cache) tgt(now time.Time) (entry, error) {
	home := wire.Principal{Components: []string{"krbtgt", c.client.Realm}, Realm: c.client.Realm}
	var best entry
	for _, e := range c.entries {
		if e.server.Equal(home) && e.client.Equal(c.client) && e.flags&wire.FlagInvalid == 0 && e.end.After(best.end) {
			best = e
		}
	}
	switch {
	case best.ticket == nil:
		return entry{}, fmt.Errorf("no ticket-granting ticket of %s in it; get one: kinit", c.client)
	case !best.end.After(now):
		return entry{}, reason.Refuse(reason.Expired, fmt.Sprintf("%s's ticket ended at %s", c.client, best.end.Local().Format(time.DateTime)))
	}
	return best, nil
}

func checkPrincipal(p wire.Principal) error {
	if len(p.Components) == 0 {
		return errCache
	}
	for _, name := range append(slices.Clone(p.Components), p.Realm) {
		if err := wire.CheckName(name); err != nil {
			return err
		}
	}
	return nil
}

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
	r.take(8) // when it was got, and begins: the KDC judges that
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
