// Package kerberos decides who a Kerberos client is: from the ticket a browser
// sends in "Authorization: Negotiate" (Accept), or from a name and a password
// that a KDC confirms (CheckPassword). It knows nothing of HTTP.
//
// In Kerberos (RFC 4120) a client gets from the KDC a ticket for a service: a
// message sealed with the service's key, which names the client and holds a
// session key. The client sends it in an AP-REQ together with an authenticator,
// sealed with that session key, which proves that it owns the ticket and is
// speaking now. We own the service key (the keytab, principal HTTP/host), so we
// can open the ticket without asking anybody, and answer with an AP-REP that
// proves to the client that we could. Browsers wrap all of this in SPNEGO
// (RFC 4178), Windows adds a PAC (MS-PAC) with the user's SID and groups.
//
// Everything up to the seal of the ticket is written by whoever connects, and
// what is inside the authenticator by whoever has any ticket: the identity is
// taken from inside the ticket only, and every parser is our own, bounded, and
// runs on a length that was checked before. From gokrb5 come the crypto of old
// encryption types, the keytab reader and the messages to the KDC.
//
// This package judges. What is sent is read and written by package wire, SPNEGO's
// tokens around it by package spnego, the PAC by package pac; package keytab keeps
// the keys, and package kdc asks KDCs. Who is refused gets a *reason.Error; any
// other error is a failure of our own.
package kerberos

import (
	"time"

	"idp/internal/kerberos/pac"
	"idp/internal/kerberos/wire"
)

// MaxToken is the largest token Accept looks at, in bytes: what 64 KB of base64
// hold. A user with very many groups has a ticket that large.
const MaxToken = 48 * 1024

// Login is what a ticket or a password proved.
type Login struct {
	Principal wire.Principal
	AuthTime  time.Time // when the person (or a keytab) gave a password to the KDC
	EndTime   time.Time // when the ticket ends

	// Reply is the token that goes back in "WWW-Authenticate: Negotiate", raw:
	// a NegTokenResp with the AP-REP, or the bare AP-REP token when the client
	// sent Kerberos without SPNEGO. Nil after CheckPassword.
	Reply []byte

	// PAC is nil when the ticket carries none, or one without logon information
	// (MIT Kerberos writes such a PAC since 1.20).
	PAC *pac.PAC

	Mechanism Mechanism

	// Service is the principal whose key opened the ticket: who it was made for, as far
	// as that can be told. The name that the ticket says in clear is anybody's to
	// rewrite. Empty after CheckPassword.
	Service wire.Principal
}

// Mechanism says how a Login was proved.
type Mechanism string

// The mechanisms.
const (
	MechanismSPNEGO   Mechanism = "spnego"   // a ticket inside SPNEGO
	MechanismKerberos Mechanism = "kerberos" // a ticket without SPNEGO
	MechanismPassword Mechanism = "password" // a password confirmed by the KDC
)

// Name is a principal of one component, as a person types it.
type Name struct {
	Name, Realm string
	Enterprise  bool // Name is a userPrincipalName, alice@example.com (RFC 6806 §5)
}
