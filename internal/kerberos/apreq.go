package kerberos

import (
	"crypto/subtle"
	"time"

	"idp/internal/reason"
)

// Message numbers and flags of RFC 4120.
const (
	pvno          = 5  // §5.3
	msgAPReq      = 14 // §5.5.1
	msgAPRep      = 15 // §5.5.2
	useSessionKey = 1 << 30
	flagInvalid   = 1 << (31 - 7)  // §2.3
	flagTransited = 1 << (31 - 12) // §2.7, TRANSITED-POLICY-CHECKED
	flagAnonymous = 1 << (31 - 16) // RFC 8062 §3
)

// ticket is what everybody can read of a Ticket, RFC 4120 §5.3. It is not
// protected: sname and realm are hints which key to try.
type ticket struct {
	sname Principal
	part  sealed
}

// apReq is an AP-REQ, RFC 4120 §5.5.1.
type apReq struct {
	ticket        ticket
	authenticator sealed
}

func parseAPReq(b []byte) (r apReq, err error) {
	var d decoder
	f := d.sequence(d.only(b, appAPReq))
	version, kind := d.integer(f[0]), d.integer(f[1])
	options := d.flags(f[2])
	r.ticket = d.ticket(f[3])
	r.authenticator = d.sealed(f[4])
	switch {
	case d.err != nil:
		return apReq{}, reason.Refuse(reason.Malformed, "AP-REQ: "+d.err.Error())
	case version != pvno || kind != msgAPReq:
		return apReq{}, reason.Refuse(reason.Malformed, "not an AP-REQ of Kerberos 5")
	case options&useSessionKey != 0:
		return apReq{}, reason.Refuse(reason.Malformed, "a user-to-user AP-REQ: we have no ticket of our own")
	}
	return r, nil
}

func (d *decoder) ticket(b []byte) (t ticket) {
	f := d.sequence(d.only(b, appTicket))
	if d.integer(f[0]) != pvno {
		d.fail()
	}
	realm := d.name(f[1])
	t.sname = d.principal(f[2])
	t.sname.Realm = realm
	t.part = d.sealed(f[3])
	return t
}

// ticketPart is the sealed part of a ticket, RFC 4120 §5.3: what the KDC says.
type ticketPart struct {
	flags         uint32
	key           keyBlock // session key
	client        Principal
	transitedType int32
	transited     []byte
	authTime      time.Time
	startTime     time.Time // authTime where the KDC left it out
	endTime       time.Time
	authData      []byte // nil if absent
}

func parseTicketPart(b []byte) (t ticketPart, err error) {
	var d decoder
	f := d.sequence(d.only(b, appEncTicketPart))
	t.flags = d.flags(f[0])
	t.key = d.key(f[1])
	realm := d.name(f[2])
	t.client = d.principal(f[3])
	t.client.Realm = realm
	path := d.sequence(f[4])
	t.transitedType = d.int32(path[0])
	t.transited = d.octets(path[1])
	t.authTime = d.time(f[5])
	t.startTime = t.authTime
	if f[6] != nil {
		t.startTime = d.time(f[6])
	}
	t.endTime = d.time(f[7])
	t.authData = f[10]
	return t, d.err
}

// authenticator is what the client says, RFC 4120 §5.5.1. Names are read to be
// compared with the ticket's, never to be used.
type authenticator struct {
	client   Principal
	sumType  int32
	sum      []byte // nil if absent
	ctime    time.Time
	cusec    int64
	subkey   keyBlock // etype 0 if absent
	sequence *uint32
}

func parseAuthenticator(b []byte) (a authenticator, err error) {
	var d decoder
	f := d.sequence(d.only(b, appAuthenticator))
	if d.integer(f[0]) != pvno {
		d.fail()
	}
	realm := d.name(f[1])
	a.client = d.principal(f[2])
	a.client.Realm = realm
	if f[3] != nil {
		sum := d.sequence(f[3])
		a.sumType, a.sum = d.int32(sum[0]), d.octets(sum[1])
	}
	a.cusec = d.integer(f[4])
	if a.cusec < 0 || a.cusec > 999_999 {
		d.fail()
	}
	a.ctime = d.time(f[5])
	if f[6] != nil {
		a.subkey = d.key(f[6])
	}
	if f[7] != nil {
		n := d.uint32(f[7])
		a.sequence = &n
	}
	return a, d.err
}

// time is ctime with its microseconds.
func (a *authenticator) time() time.Time {
	return a.ctime.Add(time.Duration(a.cusec) * time.Microsecond)
}

// equal compares secrets in constant time.
func equal(a, b []byte) bool { return subtle.ConstantTimeCompare(a, b) == 1 }
