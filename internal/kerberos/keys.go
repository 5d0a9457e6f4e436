package kerberos

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// maxTries bounds the keys tried on one ticket, and with it the work an
// arbitrary token causes.
const maxTries = 64

// serviceKey is one entry of a keytab.
type serviceKey struct {
	spn    wire.Principal
	kvno   uint32
	made   time.Time // when it was written to the keytab; zero if that does not say
	block  wire.Key
	ticket *wire.SealKey // the derived keys that open tickets; nil for an etype we never accept
}

// keyring is the HTTP/ keys of all keytabs. It is never changed, only replaced.
type keyring struct{ keys []*serviceKey }

// parseKeytab reads the HTTP/ entries of a keytab.
func parseKeytab(b []byte) ([]*serviceKey, error) {
	keys, err := parseEntries(b)
	keys = slices.DeleteFunc(keys, func(k *serviceKey) bool { return !isHTTP(k.spn) })
	if err == nil && len(keys) == 0 {
		err = errNoHTTP
	}
	return keys, err
}

// parseEntries reads all entries of a keytab. The library's error texts quote the
// bytes of the file, keys included, so none is passed on.
func parseEntries(b []byte) (keys []*serviceKey, err error) {
	defer func() {
		if recover() != nil {
			keys, err = nil, errKeytab
		}
	}()
	kt := keytab.New()
	if kt.Unmarshal(b) != nil {
		return nil, errKeytab
	}
	for _, e := range kt.Entries {
		p := wire.Principal{Components: e.Principal.Components, Realm: e.Principal.Realm, NameType: e.Principal.NameType}
		if len(p.Components) == 0 || p.Realm == "" {
			continue
		}
		k := &serviceKey{spn: p, kvno: e.KVNO, block: wire.Key{Etype: e.Key.KeyType, Value: e.Key.KeyValue}}
		if e.Timestamp.Unix() > 0 { // some programs write 0
			k.made = e.Timestamp
		}
		// An etype we do not know stays in the list, to be reported by name.
		k.ticket, _ = wire.NewSealKey(k.block, wire.UsageTicket)
		keys = append(keys, k)
	}
	return keys, nil
}

// isHTTP reports whether a principal is a web server's. Active Directory takes
// service names without regard to case.
func isHTTP(p wire.Principal) bool {
	return len(p.Components) >= 2 && strings.EqualFold(p.Components[0], "HTTP")
}

// etypeAllowed is the policy: AES always, RC4 by configuration, nothing else.
func (a *Acceptor) etypeAllowed(etype int32) bool {
	if etype == etypeID.RC4_HMAC {
		return a.opts.AllowRC4
	}
	return wire.IsAES(etype)
}

// vouches reports whether who has this key may name the people of a realm: it is
// one of the realm's own, or there is none.
func (r *keyring) vouches(realm string, key *serviceKey) bool {
	has := false
	for _, k := range r.keys {
		if k.spn.Realm == realm {
			has = true
			if k.block.Etype == key.block.Etype && bytes.Equal(k.block.Value, key.block.Value) {
				return true
			}
		}
	}
	return !has
}

// candidates are the keys to try on a ticket: the one it names first, then those
// of the version it names, then every other of its etype, newest first (as the
// default acceptor of MIT Kerberos does: names in tickets are often aliases).
func (r *keyring) candidates(t *wire.Ticket) []*serviceKey {
	var out []*serviceKey
	for _, k := range r.keys {
		if k.ticket != nil && k.block.Etype == t.Part.Etype {
			out = append(out, k)
		}
	}
	rank := func(k *serviceKey) int {
		score := 0
		if k.spn.Equal(t.Service) {
			score += 2
		}
		if k.kvno == t.Part.KVNO {
			score += 3
		}
		return score
	}
	slices.SortStableFunc(out, func(x, y *serviceKey) int {
		return cmp.Or(cmp.Compare(rank(y), rank(x)), cmp.Compare(y.kvno, x.kvno))
	})
	return out[:min(len(out), maxTries)]
}

// open opens a ticket with the first key that fits.
func (r *keyring) open(t *wire.Ticket) (*serviceKey, []byte, error) {
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
func (r *keyring) exact(t *wire.Ticket) *serviceKey {
	for _, k := range r.keys {
		if k.ticket != nil && k.block.Etype == t.Part.Etype && k.kvno == t.Part.KVNO && k.spn.Equal(t.Service) {
			return k
		}
	}
	return nil
}

// explain says why no key opened a ticket.
func (r *keyring) explain(t *wire.Ticket) error {
	var name, kvno, etype bool
	var have []string
	for _, k := range r.keys {
		sameName := k.spn.Equal(t.Service)
		name = name || sameName
		if v := strconv.Itoa(int(k.kvno)); sameName && !slices.Contains(have, v) {
			have = append(have, v)
		}
		kvno = kvno || sameName && k.kvno == t.Part.KVNO
		etype = etype || sameName && k.block.Etype == t.Part.Etype
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
