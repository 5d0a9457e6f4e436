package kerberos

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/etypeID"

	"idp/internal/kerberos/kdc"
	"idp/internal/kerberos/keytab"
	"idp/internal/kerberos/pac"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// maxSkew is how far the client's clock may be from ours, RFC 4120 §1.6.
const maxSkew = 5 * time.Minute

// Options is everything an Acceptor needs.
type Options struct {
	Config

	// Seen remembers a replay hash until the given time and reports whether it
	// was new. It must be atomic over all nodes (one INSERT that conflicts).
	// Required.
	Seen func(ctx context.Context, hash []byte, until time.Time) (first bool, err error)

	// ChannelBindings returns the tls-server-end-point hashes (see
	// EndPointHash) of the certificates this server itself shows. It is a
	// function because certificates are reloaded; nil means none.
	ChannelBindings func() [][]byte

	Now      func() time.Time // nil: time.Now
	Log      *slog.Logger     // nil: slog.Default()
	Resolver *net.Resolver    // that finds KDCs; nil: the system's
}

// Acceptor accepts tickets and checks passwords. Safe for concurrent use.
type Acceptor struct {
	opts     Options
	bindings [][]byte // of ChannelBindingCertificates
	kdcs     *kdc.Client
	keytabs  *keytab.Files
}

// New makes an Acceptor and reads the keytabs. A keytab that cannot be used is
// logged and is no error: the server offers its other methods, and Ready says
// what is wrong until the file is repaired.
func New(o Options) (*Acceptor, error) {
	if o.Seen == nil {
		return nil, errors.New("kerberos: Options.Seen is required")
	}
	if err := errors.Join(o.Problems()...); err != nil {
		return nil, err
	}
	bindings, err := certificateBindings(o.ChannelBindingCertificates)
	if err != nil {
		return nil, fmt.Errorf("kerberos: %w", err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	a := &Acceptor{opts: o, bindings: bindings}
	a.kdcs = kdc.New(kdc.Config{Krb5Conf: o.Krb5Conf, EtypeAllowed: a.etypeAllowed, Now: o.Now, Resolver: o.Resolver})
	a.keytabs = keytab.New(o.Keytabs, a.etypeAllowed, o.Log)
	return a, nil
}

// etypeAllowed is the policy: AES always, RC4 by configuration, nothing else.
func (a *Acceptor) etypeAllowed(etype int32) bool {
	if etype == etypeID.RC4_HMAC {
		return a.opts.AllowRC4
	}
	return wire.IsAES(etype)
}

// Accept checks an initiator's only token, the raw bytes of "Authorization:
// Negotiate", for callers with nowhere to keep what the next leg of a longer exchange
// needs. A refusal is a *reason.Error, KERBEROS_NOT_FIRST for a client that needs
// another leg; any other error is a failure of Seen.
func (a *Acceptor) Accept(ctx context.Context, token []byte) (*Login, error) {
	leg, err := a.Step(ctx, token, nil)
	if err != nil {
		return nil, err
	}
	if leg.Login == nil {
		return nil, reason.Refuse(reason.NotFirst, "Kerberos is offered, but not first, and the next leg would be nobody's")
	}
	return leg.Login, nil
}

// examined is an AP-REQ in which everything fits.
type examined struct {
	*opened
	auth   *wire.Authenticator
	claims *pac.PAC // nil where there is none
	hash   []byte   // of the authenticator, to see a replay by
}

// examine is RFC 4120 §3.2.3 without the replay check.
func (a *Acceptor) examine(apReq []byte) (*examined, error) {
	req, err := wire.ParseAPReq(apReq)
	if err != nil {
		return nil, reason.Refuse(reason.Malformed, err.Error())
	}
	x, err := a.examineParsed(&req)
	if err != nil {
		return nil, a.withKRBError(err, req.Ticket.Service)
	}
	return x, nil
}

func (a *Acceptor) examineParsed(req *wire.APReq) (*examined, error) {
	opened, err := a.openTicket(&req.Ticket)
	if err != nil {
		return nil, err
	}
	auth, err := a.openAuthenticator(req, &opened.part)
	if err != nil {
		return nil, err
	}
	claims, err := a.judge(opened)
	if err != nil {
		return nil, err
	}
	if err := a.checkBinding(auth); err != nil {
		return nil, err
	}
	hash := sha256.Sum256(req.Authenticator.Cipher)
	return &examined{opened: opened, auth: auth, claims: claims, hash: hash[:]}, nil
}

// opened is a ticket that one of our keys opened.
type opened struct {
	key  *keytab.Key
	part wire.TicketPart
}

func (o *opened) login(p *pac.PAC) *Login {
	return &Login{Principal: o.part.Client, AuthTime: o.part.AuthTime, EndTime: o.part.EndTime, PAC: p, Service: o.key.Principal}
}

// openTicket applies the policies that need no decryption, then decrypts.
func (a *Acceptor) openTicket(t *wire.Ticket) (*opened, error) {
	if !a.etypeAllowed(t.Part.Etype) {
		return nil, reason.Refuse(reason.Etype, fmt.Sprintf("ticket for %s is sealed with %s", reason.Short(t.Service.String()), wire.EtypeName(t.Part.Etype)))
	}
	if !keytab.IsHTTP(t.Service) {
		return nil, reason.Refuse(reason.WrongSPN, fmt.Sprintf("ticket for %s, which is no HTTP service", reason.Short(t.Service.String())))
	}
	ring := a.keytabs.Ring()
	if len(ring) == 0 {
		return nil, reason.Refuse(reason.NoKeytab, "no usable keytab")
	}
	key, plain, err := ring.Open(t)
	if err != nil {
		return nil, err
	}
	part, err := wire.ParseTicketPart(plain)
	if err != nil {
		return nil, &reason.Error{Reason: reason.Malformed, Detail: "the ticket's sealed part", Err: err}
	}
	return &opened{key, part}, nil
}

// openAuthenticator decrypts the authenticator with the ticket's session key and
// checks that it is about the ticket's client, and of now.
func (a *Acceptor) openAuthenticator(r *wire.APReq, t *wire.TicketPart) (*wire.Authenticator, error) {
	if !a.etypeAllowed(t.Key.Etype) || r.Authenticator.Etype != t.Key.Etype {
		return nil, reason.Refuse(reason.Etype, fmt.Sprintf("session key of %s, authenticator of %s",
			wire.EtypeName(t.Key.Etype), wire.EtypeName(r.Authenticator.Etype)))
	}
	k, err := wire.NewSealKey(t.Key, wire.UsageAuthenticator)
	if err != nil {
		return nil, &reason.Error{Reason: reason.Malformed, Detail: "session key", Err: err}
	}
	plain, err := k.Open(r.Authenticator.Cipher)
	if err != nil {
		return nil, &reason.Error{Reason: reason.Authenticator, Detail: "ticket of " + who(t), Err: err}
	}
	auth, err := wire.ParseAuthenticator(plain)
	if err != nil {
		return nil, &reason.Error{Reason: reason.Malformed, Detail: "authenticator", Err: err}
	}
	// The client writes its own name here: whatever differs from what the KDC
	// sealed is an attempt to be somebody else.
	if !auth.Client.Equal(t.Client) {
		return nil, reason.Refuse(reason.NameMismatch, fmt.Sprintf("the ticket is %s's, the authenticator says %s",
			who(t), reason.Short(auth.Client.String())))
	}
	if skew := a.opts.Now().Sub(auth.Time()); skew.Abs() > maxSkew {
		return nil, reason.Refuse(reason.ClockSkew, fmt.Sprintf("the clock of %s's machine is %s off ours", who(t), -skew.Round(time.Second)))
	}
	return &auth, nil
}

// checkReplay lets every authenticator in once. Its ciphertext is the one thing
// in a token that a thief cannot change; it is kept for as long as the slowest
// or fastest clock could make it look fresh.
func (a *Acceptor) checkReplay(ctx context.Context, x *examined) error {
	first, err := a.opts.Seen(ctx, x.hash, a.opts.Now().Add(2*maxSkew))
	if err != nil {
		return fmt.Errorf("remember a ticket's use: %w", err)
	}
	if !first {
		return a.withKRBError(reason.Refuse(reason.Replay, "this token was used before"), x.key.Principal)
	}
	return nil
}
