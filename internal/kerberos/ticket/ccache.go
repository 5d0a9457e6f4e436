package ticket

import (
	"errors"
	"fmt"
	"slices"
	"strings"
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
	start, end     time.Time
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

// skew is how far clocks may be apart, RFC 4120 §1.6.
const skew = 5 * time.Minute

// tgt is the ticket-granting ticket of the cache's principal that lasts longest.
func (c *cache) tgt(now time.Time) (entry, error) {
	home := wire.Principal{Components: []string{"krbtgt", c.client.Realm}, Realm: c.client.Realm}
	var best, early entry
	for _, e := range c.entries {
		switch {
		case !e.server.Equal(home) || !e.client.Equal(c.client):
		case e.flags&wire.FlagInvalid != 0 || e.start.After(now.Add(skew)):
			early = e
		case e.end.After(best.end):
			best = e
		}
	}
	switch {
	case best.ticket != nil && best.end.After(now):
		return best, nil
	case early.ticket != nil:
		return entry{}, notYet(early, now)
	case best.ticket != nil:
		return entry{}, reason.Refuse(reason.Expired, fmt.Sprintf("%s's ticket ended at %s", c.client, best.end.Local().Format(time.DateTime)))
	}
	return entry{}, fmt.Errorf("no ticket-granting ticket of %s in it%s; get one: kinit", c.client, c.onlyFor())
}

// notYet says when a ticket that is not valid will be.
func notYet(e entry, now time.Time) error {
	at := e.start.Local().Format(time.DateTime)
	switch {
	case e.start.After(now.Add(skew)) && e.flags&wire.FlagInvalid == 0:
		return fmt.Errorf("%s's ticket begins at %s: is this machine's clock right?", e.client, at)
	case e.start.After(now):
		return fmt.Errorf("%s's ticket is postdated to %s, when kinit -v makes it valid; get another one: kinit", e.client, at)
	}
	return fmt.Errorf("%s's ticket was postdated to %s, and is not valid yet; have the KDC make it so: kinit -v", e.client, at)
}

// onlyFor lists what the cache has tickets for, for a message.
func (c *cache) onlyFor() string {
	var names []string
	for _, e := range c.entries {
		if checkPrincipal(e.server) == nil && !strings.HasPrefix(e.server.Realm, "X-CACHECONF:") && len(names) < 4 {
			names = append(names, reason.Short(e.server.String()))
		}
	}
	if names == nil {
		return ""
	}
	return ", only for " + strings.Join(names, ", ")
}

// service is a good ticket for HTTP/host, as kinit -S gets it, in whatever realm.
func (c *cache) service(host string, now time.Time) (e entry, ok bool) {
	for _, e := range c.entries {
		if slices.Equal(e.server.Components, []string{"HTTP", host}) && e.client.Equal(c.client) && e.ticket != nil &&
			e.flags&wire.FlagInvalid == 0 && !e.start.After(now.Add(skew)) && e.end.After(now) {
			return e, true
		}
	}
	return entry{}, false
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
