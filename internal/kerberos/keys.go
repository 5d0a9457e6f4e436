package kerberos

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"idp/internal/reason"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/keytab"
)

// maxTries bounds the keys tried on one ticket, and with it the work an
// arbitrary token causes.
const maxTries = 64

// serviceKey is one HTTP/ entry of a keytab.
type serviceKey struct {
	spn    Principal
	kvno   uint32
	block  keyBlock
	ticket *sealKey // the derived keys that open tickets; nil for an etype we never accept
}

// keyring is the HTTP/ keys of all keytabs. It is never changed, only replaced.
type keyring struct{ keys []*serviceKey }

// parseKeytab reads the HTTP/ entries of a keytab. The library's error texts
// quote the bytes of the file, keys included, so none is passed on.
func parseKeytab(b []byte) (keys []*serviceKey, err error) {
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
		p := Principal{Components: e.Principal.Components, Realm: e.Principal.Realm, NameType: e.Principal.NameType}
		if !isHTTP(p) || p.Realm == "" {
			continue
		}
		k := &serviceKey{spn: p, kvno: e.KVNO, block: keyBlock{e.Key.KeyType, e.Key.KeyValue}}
		// An etype we do not know stays in the list, to be reported by name.
		k.ticket, _ = newSealKey(k.block, usageTicket)
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, errNoHTTP
	}
	return keys, nil
}

// isHTTP reports whether a principal is a web server's. Active Directory takes
// service names without regard to case.
func isHTTP(p Principal) bool {
	return len(p.Components) >= 2 && strings.EqualFold(p.Components[0], "HTTP")
}

// etypeAllowed is the policy: AES always, RC4 by configuration, nothing else.
func (a *Acceptor) etypeAllowed(etype int32) bool {
	if etype == etypeID.RC4_HMAC {
		return a.opts.AllowRC4
	}
	_, aes := suiteOf(etype)
	return aes
}

// etypeName names an encryption type for people.
func etypeName(etype int32) string {
	names := map[int32]string{
		1: "des-cbc-crc", 2: "des-cbc-md4", 3: "des-cbc-md5", 16: "des3-cbc-sha1",
		17: "aes128-cts-hmac-sha1-96", 18: "aes256-cts-hmac-sha1-96",
		19: "aes128-cts-hmac-sha256-128", 20: "aes256-cts-hmac-sha384-192",
		23: "rc4-hmac", 24: "rc4-hmac-exp", 25: "camellia128-cts-cmac", 26: "camellia256-cts-cmac",
	}
	if n, ok := names[etype]; ok {
		return n
	}
	return fmt.Sprintf("etype %d", etype)
}

// candidates are the keys to try on a ticket: the one it names first, then those
// of the version it names, then every other of its etype, newest first (as the
// default acceptor of MIT Kerberos does: names in tickets are often aliases).
func (r *keyring) candidates(t *ticket) []*serviceKey {
	var out []*serviceKey
	for _, k := range r.keys {
		if k.ticket != nil && k.block.etype == t.part.etype {
			out = append(out, k)
		}
	}
	rank := func(k *serviceKey) int {
		score := 0
		if k.spn.same(t.sname) {
			score += 2
		}
		if k.kvno == t.part.kvno {
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
func (r *keyring) open(t *ticket) (*serviceKey, []byte, error) {
	if k := r.exact(t); k != nil {
		if pt, err := k.ticket.open(t.part.cipher); err == nil {
			return k, pt, nil
		}
	}
	for _, k := range r.candidates(t) {
		if pt, err := k.ticket.open(t.part.cipher); err == nil {
			return k, pt, nil
		}
	}
	return nil, nil, r.explain(t)
}

// exact is the key that the ticket names: nearly always the one that fits.
func (r *keyring) exact(t *ticket) *serviceKey {
	for _, k := range r.keys {
		if k.ticket != nil && k.block.etype == t.part.etype && k.kvno == t.part.kvno && k.spn.same(t.sname) {
			return k
		}
	}
	return nil
}

// explain says why no key opened a ticket.
func (r *keyring) explain(t *ticket) error {
	var name, kvno, etype bool
	for _, k := range r.keys {
		sameName := k.spn.same(t.sname)
		name = name || sameName
		kvno = kvno || sameName && k.kvno == t.part.kvno
		etype = etype || sameName && k.block.etype == t.part.etype
	}
	what := fmt.Sprintf("ticket for %s, kvno %d, %s", short(t.sname.String()), t.part.kvno, etypeName(t.part.etype))
	switch {
	case !name:
		return reason.Refuse(reason.WrongSPN, what+": not in the keytab")
	case !kvno:
		return reason.Refuse(reason.KVNO, what+": the keytab has another version; export it again")
	case !etype:
		return reason.Refuse(reason.NoKey, what+": the keytab has no key of this encryption type")
	}
	return reason.Refuse(reason.WrongKey, what+": the keytab's key does not open it; was the password reset?")
}

// short cuts a text that a stranger wrote, for the log.
func short(s string) string {
	if len(s) > 120 {
		return strings.ToValidUTF8(s[:120], "") + "…"
	}
	return s
}
