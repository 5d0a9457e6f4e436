// Package reason says why a credential was refused: by a stable code that logs,
// metrics, the audit, help texts and scripts of administrators know it by.
//
// Every code of the product is in this package, whoever decides it. Those of credentials
// are in the one table below (those of protected sites, sites.go, are about requests): the
// judges of tickets and of KDCs' answers (internal/kerberos and below it), those
// who turn a credential into a user (internal/authn), and the login pages. A code
// is never renamed and never used for something else; a new cause that needs
// another remedy gets a code of its own.
//
// A refusal is an *Error. Its Detail and its cause are for administrators, in log
// and audit: names and numbers, never a secret, and never on a page, for they say
// more than a stranger may know. What a visitor reads is chosen by the Code. An
// error that is no *Error is our own failure (the database, say) and refuses
// nobody.
package reason

// Code is one reason.
type Code string

// The codes of credentials. All lists them.
const (
	// What came is no token, or not Kerberos.

	TokenTooBig Code = "TOKEN_TOO_BIG"      // more than kerberos.MaxToken
	Malformed   Code = "MALFORMED_TOKEN"    // not the DER we expect
	NTLM        Code = "NTLM_TOKEN"         // the browser has no ticket and fell back to NTLM
	NegoexOnly  Code = "NEGOEX_ONLY"        // NEGOEX or IAKERB offered, no Kerberos
	NotFirst    Code = "KERBEROS_NOT_FIRST" // Kerberos offered, but another mechanism first

	// No key of ours opens the ticket.

	NoKeytab Code = "NO_KEYTAB"         // no keytab with an HTTP/ key could be read; says nothing about the credential
	WrongSPN Code = "WRONG_SPN"         // the ticket is for a service whose key we do not have
	KVNO     Code = "KVNO_MISMATCH"     // right service, another version of its key
	WrongKey Code = "WRONG_KEY"         // right service and version, but the key does not fit
	NoKey    Code = "NO_KEY_OF_ETYPE"   // the keytab lacks this encryption type
	Etype    Code = "ETYPE_NOT_ALLOWED" // RC4, DES, 3DES or unknown

	// The ticket is refused by what is in it.

	ClockSkew      Code = "CLOCK_SKEW"           // clocks differ by more than 5 minutes
	Expired        Code = "TICKET_EXPIRED"       // the ticket has ended
	NotYetValid    Code = "TICKET_NOT_YET_VALID" // starts later, or has the INVALID flag
	Replay         Code = "REPLAY"               // this authenticator was used before
	Realm          Code = "REALM_NOT_TRUSTED"    // the client's realm is not in kerberos.realms
	NameMismatch   Code = "NAME_MISMATCH"        // authenticator, or PAC, and ticket name different clients
	Authenticator  Code = "BAD_AUTHENTICATOR"    // it does not open with the ticket's session key
	Transited      Code = "TRANSITED"            // came through realms nobody checked
	ChannelBinding Code = "CHANNEL_BINDING"      // token made for another TLS endpoint
	PACSignature   Code = "PAC_SIGNATURE"        // unsigned, or signed with another key
	PAC            Code = "PAC_MALFORMED"        // signed but unreadable, or about somebody else
	NoPAC          Code = "PAC_MISSING"          // the realm's tickets have a PAC, this one does not
	Authorization  Code = "AUTHORIZATION_DATA"   // a restriction we do not understand
	NotAPerson     Code = "NOT_A_PERSON"         // anonymous, or a name no person can have
	TicketOld      Code = "TICKET_TOO_OLD"       // the site wants a login more recent than the ticket's

	// A name and a password. Those after BAD_PASSWORD are said whatever the
	// password was: KDCs check them before it.

	ClientUnknown   Code = "CLIENT_UNKNOWN"   // no such name here or at the KDC
	BadPassword     Code = "BAD_PASSWORD"     // the name exists, the password is another
	PasswordExpired Code = "PASSWORD_EXPIRED" // the right one, but a new one must be set
	PasswordRefused Code = "PASSWORD_REFUSED" // the KDC did not take the new one
	PasswordsDiffer Code = "PASSWORDS_DIFFER" // the new one was typed in two ways; the KDC was not asked
	Locked          Code = "ACCOUNT_LOCKED"   // locked out, or revoked (MIT says no more)
	Disabled        Code = "ACCOUNT_DISABLED" // by the administrator of the directory
	AccountExpired  Code = "ACCOUNT_EXPIRED"  // the directory's end date is past
	Policy          Code = "KDC_POLICY"       // workstation or hour not allowed, and the like

	// A passkey.

	BadPasskey        Code = "BAD_PASSKEY"        // the answer is none to what was asked here, or not signed by the passkey
	PasskeyUnknown    Code = "PASSKEY_UNKNOWN"    // nobody's here, or not the one's who logs in
	PasskeyCounter    Code = "PASSKEY_COUNTER"    // it has counted backwards: there may be a copy
	PasskeyUnverified Code = "PASSKEY_UNVERIFIED" //nolint:gosec // it did not make sure of its person, and had to
	PasskeyUnvouched  Code = "PASSKEY_UNVOUCHED"  // alone, of a company account that nobody can be asked about
	PasskeyTooLate    Code = "PASSKEY_TOO_LATE"   // the page that asked was open for too long

	// The KDC could not be asked or believed: nothing is said about the
	// credential, so it must not be counted as a wrong guess.

	Unreachable Code = "KDC_UNREACHABLE" // none of the realm's KDCs answered in time
	KDCError    Code = "KDC_ERROR"       // it answered with another error
	NotGenuine  Code = "KDC_NOT_GENUINE" // it could not prove that it knows our key

	// Decided here, after Kerberos or instead of it.

	NameTaken      Code = "NAME_TAKEN"       // the name belongs to another user already
	UserDisabled   Code = "USER_DISABLED"    // an administrator disabled the user here
	TooManyGuesses Code = "TOO_MANY_GUESSES" // wrong passwords for this name; nobody was asked
	// Wrong passwords from this address, whatever the names; nobody was asked.
	TooManyFromAddress Code = "TOO_MANY_FROM_ADDRESS"
	Busy               Code = "BUSY"                  // so many passwords are being checked that this one was not
	FromOutside        Code = "PASSWORD_FROM_OUTSIDE" // the KDC is not asked for clients outside
	MalformedInput     Code = "MALFORMED_CREDENTIAL"  // empty, too long, or not a credential at all

	// A second factor, of whoever has shown the first.

	BadCode       Code = "BAD_CODE"       // no code of the user's app, or no recovery code of theirs
	CodeReplayed  Code = "CODE_REPLAYED"  // the code was right, and has been used
	FactorUnknown Code = "FACTOR_UNKNOWN" // the user has no factor of this kind
	FactorLocked  Code = "FACTOR_LOCKED"  // too many wrong codes of this user; none is looked at
	FactorNeeded  Code = "FACTOR_NEEDED"  // the first is not enough, and a program cannot show a second
	FactorSetup   Code = "FACTOR_SETUP"   // a second is to be set up, which a ticket or an old login does not allow

	// A new password of a local user.

	PasswordTooShort Code = "PASSWORD_TOO_SHORT" // fewer characters than passwords.min_length
	PasswordTooLong  Code = "PASSWORD_TOO_LONG"  // more than 1,024 bytes
	PasswordInvalid  Code = "PASSWORD_INVALID"   // not UTF-8, or with control characters
	PasswordCommon   Code = "PASSWORD_COMMON"    // one that is tried first: in a list, a pattern, the person's name

	// A login at an upstream.
	UpstreamDown       Code = "UPSTREAM_DOWN"        // it does not answer, or with an error
	UpstreamRefused    Code = "UPSTREAM_REFUSED"     // it says that it did not log anybody in
	UpstreamInvalid    Code = "UPSTREAM_INVALID"     // what it answered cannot be believed
	UpstreamStale      Code = "UPSTREAM_STALE"       // it did not show that its person acted as recently as was asked for
	UpstreamNotAllowed Code = "UPSTREAM_NOT_ALLOWED" // not of the domains or groups that may log in by it
	NotInvited         Code = "NOT_INVITED"          // nobody here is linked to it, and it makes no users
)

// All returns every code of credentials, in the order of the table.
func All() []Code {
	return []Code{
		TokenTooBig, Malformed, NTLM, NegoexOnly, NotFirst,
		NoKeytab, WrongSPN, KVNO, WrongKey, NoKey, Etype,
		ClockSkew, Expired, NotYetValid, Replay, Realm, NameMismatch, Authenticator, Transited, ChannelBinding,
		PACSignature, PAC, NoPAC, Authorization, NotAPerson, TicketOld,
		ClientUnknown, BadPassword, PasswordExpired, PasswordRefused, PasswordsDiffer, Locked, Disabled, AccountExpired, Policy,
		BadPasskey, PasskeyUnknown, PasskeyCounter, PasskeyUnverified, PasskeyUnvouched, PasskeyTooLate,
		Unreachable, KDCError, NotGenuine,
		NameTaken, UserDisabled, TooManyGuesses, TooManyFromAddress, Busy, FromOutside, MalformedInput,
		BadCode, CodeReplayed, FactorUnknown, FactorLocked, FactorNeeded, FactorSetup,
		PasswordTooShort, PasswordTooLong, PasswordInvalid, PasswordCommon,
		UpstreamDown, UpstreamRefused, UpstreamInvalid, UpstreamStale, UpstreamNotAllowed, NotInvited,
	}
}
