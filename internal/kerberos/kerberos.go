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
// taken from inside the ticket only, and every parser here is our own, bounded,
// and runs on a length that was checked before. From gokrb5 come the crypto of
// old encryption types, the keytab reader and the messages to the KDC.
package kerberos

import (
	"errors"
	"strings"
	"time"
)

// MaxToken is the largest token Accept looks at, in bytes: what 64 KB of base64
// hold. A user with very many groups has a ticket that large.
const MaxToken = 48 * 1024

// Login is what a ticket or a password proved.
type Login struct {
	Principal Principal
	AuthTime  time.Time // when the person (or a keytab) gave a password to the KDC
	EndTime   time.Time // when the ticket ends

	// Reply is the token that goes back in "WWW-Authenticate: Negotiate", raw:
	// a NegTokenResp with the AP-REP, or the bare AP-REP token when the client
	// sent Kerberos without SPNEGO. Nil after CheckPassword.
	Reply []byte

	// PAC is nil when the ticket carries none, or one without logon information
	// (MIT Kerberos writes such a PAC since 1.20).
	PAC *PAC

	Mechanism Mechanism
}

// Mechanism says how a Login was proved.
type Mechanism string

// The mechanisms.
const (
	MechanismSPNEGO   Mechanism = "spnego"   // a ticket inside SPNEGO
	MechanismKerberos Mechanism = "kerberos" // a ticket without SPNEGO
	MechanismPassword Mechanism = "password" // a password confirmed by the KDC
)

// Principal is a Kerberos name, RFC 4120 §6.2. Two principals are the same when
// realm and components are; the name type does not count.
type Principal struct {
	Components []string
	Realm      string
	NameType   int32
}

// String writes the name as MIT Kerberos does: components joined by "/", then
// "@" and the realm; "/", "@" and "\" inside a part are escaped by "\".
func (p Principal) String() string {
	escape := strings.NewReplacer(`\`, `\\`, `/`, `\/`, `@`, `\@`)
	parts := make([]string, len(p.Components))
	for i, c := range p.Components {
		parts[i] = escape.Replace(c)
	}
	return strings.Join(parts, "/") + "@" + escape.Replace(p.Realm)
}

// same reports whether two principals are the same name in the same realm.
func (p Principal) same(q Principal) bool {
	if p.Realm != q.Realm || len(p.Components) != len(q.Components) {
		return false
	}
	for i, c := range p.Components {
		if c != q.Components[i] {
			return false
		}
	}
	return true
}

// Name is a principal of one component, as a person types it.
type Name struct{ Name, Realm string }

// ErrRejected is what every *Error is: nobody was proved, and the Reason says
// why. NO_KEYTAB and the KDC_ reasons say nothing about the credential: it must
// not be counted as a wrong guess. An error that is not ErrRejected is our own
// failure (the database that keeps the replay hashes, say).
var ErrRejected = errors.New("kerberos: rejected")

// Error is a refused credential.
type Error struct {
	Reason Reason
	Detail string // for the log: names and numbers, never a secret
	Err    error  // the cause, may be nil
	Reply  []byte // a SPNEGO token that tells the client "reject", may be nil
}

// Error implements error; the text is for logs.
func (e *Error) Error() string {
	s := "kerberos: " + string(e.Reason)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is makes errors.Is(err, ErrRejected) true.
func (e *Error) Is(target error) bool { return target == ErrRejected }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reason is a stable code for logs, metrics, audit and help texts.
type Reason string

// The reasons a ticket is refused for.
const (
	ReasonTokenTooBig     Reason = "TOKEN_TOO_BIG"        // more than MaxToken
	ReasonMalformed       Reason = "MALFORMED_TOKEN"      // not the DER we expect
	ReasonNTLM            Reason = "NTLM_TOKEN"           // the browser has no ticket and fell back to NTLM
	ReasonNegoexOnly      Reason = "NEGOEX_ONLY"          // NEGOEX or IAKERB offered, no Kerberos
	ReasonNotFirst        Reason = "KERBEROS_NOT_FIRST"   // Kerberos offered, but another mechanism first
	ReasonNoKeytab        Reason = "NO_KEYTAB"            // no keytab with an HTTP/ key could be read
	ReasonWrongSPN        Reason = "WRONG_SPN"            // the ticket is for a service whose key we do not have
	ReasonKVNO            Reason = "KVNO_MISMATCH"        // right service, another version of its key
	ReasonWrongKey        Reason = "WRONG_KEY"            // right service and version, but the key does not fit
	ReasonNoKey           Reason = "NO_KEY_OF_ETYPE"      // the keytab lacks this encryption type
	ReasonEtype           Reason = "ETYPE_NOT_ALLOWED"    // RC4, DES, 3DES or unknown
	ReasonClockSkew       Reason = "CLOCK_SKEW"           // clocks differ by more than 5 minutes
	ReasonExpired         Reason = "TICKET_EXPIRED"       //
	ReasonNotYetValid     Reason = "TICKET_NOT_YET_VALID" // starts later, or has the INVALID flag
	ReasonReplay          Reason = "REPLAY"               // this authenticator was used before
	ReasonRealm           Reason = "REALM_NOT_TRUSTED"    //
	ReasonNameMismatch    Reason = "NAME_MISMATCH"        // authenticator and ticket name different clients
	ReasonAuthenticator   Reason = "BAD_AUTHENTICATOR"    // it does not open with the ticket's session key
	ReasonTransited       Reason = "TRANSITED"            // came through realms nobody checked
	ReasonChannelBinding  Reason = "CHANNEL_BINDING"      // token made for another TLS endpoint
	ReasonPACSignature    Reason = "PAC_SIGNATURE"        // unsigned, or signed with another key
	ReasonPAC             Reason = "PAC_MALFORMED"        // signed but unreadable, or about somebody else
	ReasonAuthorization   Reason = "AUTHORIZATION_DATA"   // a restriction we do not understand
	ReasonNotAPerson      Reason = "NOT_A_PERSON"         // anonymous, or a name no person can have
	ReasonClientUnknown   Reason = "CLIENT_UNKNOWN"       // the KDC knows no such name
	ReasonBadPassword     Reason = "BAD_PASSWORD"         //
	ReasonPasswordExpired Reason = "PASSWORD_EXPIRED"     // right name, must set a new password
	ReasonLocked          Reason = "ACCOUNT_LOCKED"       // locked out, or revoked (MIT says no more)
	ReasonDisabled        Reason = "ACCOUNT_DISABLED"     //
	ReasonAccountExpired  Reason = "ACCOUNT_EXPIRED"      //
	ReasonPolicy          Reason = "KDC_POLICY"           // workstation or hour not allowed, and the like
	ReasonUnreachable     Reason = "KDC_UNREACHABLE"      // none of the realm's KDCs answered in time
	ReasonKDCError        Reason = "KDC_ERROR"            // it answered with another error
	ReasonNotGenuine      Reason = "KDC_NOT_GENUINE"      // it could not prove that it knows our key
)

// reject makes an *Error; detail is for the log.
func reject(r Reason, detail string) *Error { return &Error{Reason: r, Detail: detail} }
