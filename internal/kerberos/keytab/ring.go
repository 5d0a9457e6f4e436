package keytab

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// maxTries bounds the keys tried on one ticket, and with it the work an
// arbitrary token causes.
const maxTries = 64

// Ring is the HTTP/ keys of all keytabs. It is never changed, only replaced.
type Ring []*Key

// Vouches reports whether who has this key may name the people of a realm: it is
// one of the realm's own, or there is none.
func (r Ring) Vouches(realm string, key *Key) bool {
	has := false
	for _, k := range r {
		if k.Principal.Realm == realm {
			has = true
			if k.Secret.Etype == key.Secret.Etype && bytes.Equal(k.Secret.Value, key.Secret.Value) {
				return true
			}
		}
	}
	return !has
}

// candidates are the keys to try on a ticket: the one it names first, then those
// of the version it names, then every other of its etype, newest first (as the
// default acceptor of MIT Kerberos does: names in tickets are often aliases).
func (r Ring) candidates(t *wire.Ticket) []*Key {
	var out []*Key
	for _, k := range r {
		if k.ticket != nil && k.Secret.Etype == t.Part.Etype {
			out = append(out, k)
		}
	}
	rank := func(k *Key) int {
		score := 0
		if k.Principal.Equal(t.Service) {
			score += 2
		}
		if k.KVNO == t.Part.KVNO {
			score += 3
		}
		return score
	}
	slices.SortStableFunc(out, func(x, y *Key) int {
		return cmp.Or(cmp.Compare(rank(y), rank(x)), cmp.Compare(y.KVNO, x.KVNO))
	})
	return out[:min(len(out), maxTries)]
}

// Open opens a ticket with the first key that fits.
func (r Ring) Open(t *wire.Ticket) (*Key, []byte, error) {
	if k := r.exact(t); k != nil {
		if pt, err := k.ticket.Open(t.Part.Cipher); err == nil {
			return k, pt, nil
		}
	}
	for _, k := range r.candidates(t) {
		if pt, err := k.ticket.Open(t.Part.Cipher); err == nil {
			return k, pt, nil
		}
	}
	return nil, nil, r.explain(t)
}

// exact is the key that the ticket names: nearly always the one that fits.
func (r Ring) exact(t *wire.Ticket) *Key {
	for _, k := range r {
		if k.ticket != nil && k.Secret.Etype == t.Part.Etype && k.KVNO == t.Part.KVNO && k.Principal.Equal(t.Service) {
			return k
		}
	}
	return nil
}

// explain says why no key opened a ticket.
func (r Ring) explain(t *wire.Ticket) error {
	var name, kvno, etype bool
	var have []string
	for _, k := range r {
		sameName := k.Principal.Equal(t.Service)
		name = name || sameName
		if v := strconv.Itoa(int(k.KVNO)); sameName && !slices.Contains(have, v) {
			have = append(have, v)
		}
		kvno = kvno || sameName && k.KVNO == t.Part.KVNO
		etype = etype || sameName && k.Secret.Etype == t.Part.Etype
	}
	what := fmt.Sprintf("ticket for %s, kvno %d, %s", reason.Short(t.Service.String()), t.Part.KVNO, wire.EtypeName(t.Part.Etype))
	switch {
	case !name:
		return reason.Refuse(reason.WrongSPN, what+": not in the keytab")
	case !kvno:
		return reason.Refuse(reason.KVNO, fmt.Sprintf("ticket for %s, %s: have kvno %s, want %d; export the keytab again",
			reason.Short(t.Service.String()), wire.EtypeName(t.Part.Etype), strings.Join(have, " and "), t.Part.KVNO))
	case !etype:
		return reason.Refuse(reason.NoKey, what+": the keytab has no key of this encryption type")
	}
	return reason.Refuse(reason.WrongKey, what+": the keytab's key does not open it; was the password reset?")
}
