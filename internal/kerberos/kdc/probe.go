package kdc

import (
	"context"
	"fmt"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/iana/nametype"

	"idp/internal/kerberos/wire"
)

// Probed is what one server answered to a question that needs no secret.
type Probed struct {
	Took       time.Duration
	Offset     time.Duration // of its clock to ours; see HasTime
	HasTime    bool          // false: the answer does not say what time it is there
	Code       int32         // of the KRB-ERROR; 0: it gave a ticket
	WrongRealm bool          // it is a KDC, of another realm
}

// Probe asks one server over one transport, without a second try or another
// server: an AS-REQ without a proof, which is no guess at a password. It is for
// the principal that every KDC of the realm has, its own: krbtgt/REALM, or, as
// Active Directory calls the account, krbtgt. Who knows neither serves another
// realm: RFC 4120's KDC_ERR_WRONG_REALM comes from Active Directory only.
//
// MIT Kerberos makes krbtgt without requires_preauth and answers with a ticket,
// which only the KDC itself could open, and which does not say what time it is.
// It is asked once more, for a service that no realm has: a refusal says it.
func (c *Client) Probe(ctx context.Context, s Server, realm string) (Probed, error) {
	krbtgt := wire.Principal{Components: []string{"krbtgt", realm}, Realm: realm, NameType: nametype.KRB_NT_SRV_INST}
	p, err := c.probe(ctx, s, krbtgt, nil)
	switch {
	case err != nil:
		return p, err
	case p.Code == 0:
		if q, err := c.probe(ctx, s, krbtgt, noService); err == nil {
			p.HasTime, p.Offset = q.HasTime, q.Offset
		}
		return p, nil
	case p.Code != errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN:
		return p, nil
	}
	q, err := c.probe(ctx, s, wire.Principal{Components: []string{"krbtgt"}, Realm: realm, NameType: nametype.KRB_NT_PRINCIPAL}, nil)
	if err == nil {
		p.Code, p.WrongRealm = q.Code, q.WrongRealm || q.Code == errorcode.KDC_ERR_C_PRINCIPAL_UNKNOWN
	}
	return p, err
}

// noService is one that gets no ticket anywhere.
var noService = []string{"what-time-is-it", "invalid"}

func (c *Client) probe(ctx context.Context, s Server, client wire.Principal, service []string) (p Probed, err error) {
	x := &asExchange{c: c, client: client, service: service}
	req, err := x.request()
	if err != nil {
		return p, err
	}
	b, err := req.Marshal()
	if err != nil {
		return p, fmt.Errorf("make AS-REQ: %w", err)
	}
	began, asked := time.Now(), c.config.Now()
	reply, err := c.transfer(ctx, endpoint{s.Network, s.Addr}, b)
	if err != nil {
		return p, err
	}
	p.Took = time.Since(began)
	e, isError := wire.ParseError(reply)
	if !isError {
		return p, nil
	}
	p.Code, p.WrongRealm = e.Code, e.Code == errorcode.KDC_ERR_WRONG_REALM
	if p.HasTime = !e.Time.IsZero(); p.HasTime {
		p.Offset = e.Time.Sub(asked.Add(p.Took / 2))
	}
	return p, nil
}
