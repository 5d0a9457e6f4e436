package wire

import (
	"errors"
	"fmt"
	"time"
)

// Message numbers and options of RFC 4120.
const (
	pvno          = 5  // §5.3
	msgAPReq      = 14 // §5.5.1
	msgAPRep      = 15 // §5.5.2
	useSessionKey = 1 << 30
)

// Flags of a ticket, RFC 4120 §2.
const (
	FlagInvalid   = 1 << (31 - 7)  // §2.3
	FlagTransited = 1 << (31 - 12) // §2.7, TRANSITED-POLICY-CHECKED
	FlagAnonymous = 1 << (31 - 16) // RFC 8062 §3
)

// Ticket is what everybody can read of a Ticket, RFC 4120 §5.3. It is not
// protected: the service is a hint which key to try.
type Ticket struct {
	Service Principal // whose key seals it, or so it says
	Part    Sealed    // a TicketPart
}

// APReq is an AP-REQ, RFC 4120 §5.5.1.
type APReq struct {
	Ticket        Ticket
	Authenticator Sealed // an Authenticator, under the ticket's session key
}

// ParseAPReq reads an AP-REQ.
func ParseAPReq(b []byte) (r APReq, err error) {
	var d Decoder
	f := d.Sequence(d.Only(b, AppAPReq))
	version, kind := d.Integer(f[0]), d.Integer(f[1])
	options := d.Flags(f[2])
	r.Ticket = d.Ticket(f[3])
	r.Authenticator = d.Sealed(f[4])
	switch {
	case d.Err != nil:
		return APReq{}, fmt.Errorf("AP-REQ: %w", d.Err)
	case version != pvno || kind != msgAPReq:
		return APReq{}, errors.New("not an AP-REQ of Kerberos 5")
	case options&useSessionKey != 0:
		return APReq{}, errors.New("a user-to-user AP-REQ: we have no ticket of our own")
	}
	return r, nil
}

// Ticket reads a Ticket.
func (d *Decoder) Ticket(b []byte) (t Ticket) {
	f := d.Sequence(d.Only(b, AppTicket))
	if d.Integer(f[0]) != pvno {
		d.Fail()
	}
	realm := d.Name(f[1])
	t.Service = d.Principal(f[2])
	t.Service.Realm = realm
	t.Part = d.Sealed(f[3])
	return t
}

// TicketPart is the sealed part of a ticket, RFC 4120 §5.3: what the KDC says.
type TicketPart struct {
	Flags         uint32
	Key           Key // the session key
	Client        Principal
	TransitedType int32
	Transited     []byte
	AuthTime      time.Time
	StartTime     time.Time // AuthTime where the KDC left it out
	EndTime       time.Time
	AuthData      []byte // nil if absent
}

// ParseTicketPart reads the opened part of a ticket.
func ParseTicketPart(b []byte) (t TicketPart, err error) {
	var d Decoder
	f := d.Sequence(d.Only(b, AppEncTicketPart))
	t.Flags = d.Flags(f[0])
	t.Key = d.Key(f[1])
	realm := d.Name(f[2])
	t.Client = d.Principal(f[3])
	t.Client.Realm = realm
	path := d.Sequence(f[4])
	t.TransitedType = d.Int32(path[0])
	t.Transited = d.Octets(path[1])
	t.AuthTime = d.Time(f[5])
	t.StartTime = t.AuthTime
	if f[6] != nil {
		t.StartTime = d.Time(f[6])
	}
	t.EndTime = d.Time(f[7])
	t.AuthData = f[10]
	return t, d.Err
}

// Authenticator is what the client says, RFC 4120 §5.5.1. Names are read to be
// compared with the ticket's, never to be used.
type Authenticator struct {
	Client   Principal
	SumType  int32
	Sum      []byte // nil if absent
	CTime    time.Time
	CUsec    int64
	Subkey   Key     // Etype 0 if absent
	Sequence *uint32 // nil if absent
}

// ParseAuthenticator reads an opened authenticator.
func ParseAuthenticator(b []byte) (a Authenticator, err error) {
	var d Decoder
	f := d.Sequence(d.Only(b, AppAuthenticator))
	if d.Integer(f[0]) != pvno {
		d.Fail()
	}
	realm := d.Name(f[1])
	a.Client = d.Principal(f[2])
	a.Client.Realm = realm
	if f[3] != nil {
		sum := d.Sequence(f[3])
		a.SumType, a.Sum = d.Int32(sum[0]), d.Octets(sum[1])
	}
	a.CUsec = d.Integer(f[4])
	if a.CUsec < 0 || a.CUsec > 999_999 {
		d.Fail()
	}
	a.CTime = d.Time(f[5])
	if f[6] != nil {
		a.Subkey = d.Key(f[6])
	}
	if f[7] != nil {
		n := d.Uint32(f[7])
		a.Sequence = &n
	}
	return a, d.Err
}

// Time is CTime with its microseconds.
func (a *Authenticator) Time() time.Time {
	return a.CTime.Add(time.Duration(a.CUsec) * time.Microsecond)
}
