// Package audit names what is written down about who did what.
//
// The audit log is a table, not a log level: a row is written in the same
// transaction as the change it tells of, so there is never one without the
// other, and rows are only ever added. Logins, failed logins, sign-outs and
// every change of trust (users, relying parties, keys) have an entry. The log
// line of a request is for operating; the audit entry is for answering, a year
// later, who let whom in.
package audit

// Events, as they stand in the `event` column. Never renamed: reports rely on them.
const (
	Login           = "login"
	LoginFailed     = "login_failed"
	SignedOut       = "signed_out"
	SessionsEnded   = "sessions_ended" // somebody signed out on their other devices, or on all
	UserAdded       = "user_added"
	UserDisabled    = "user_disabled"
	UserEnabled     = "user_enabled"
	UserUnlocked    = "user_unlocked" // wrong passwords are forgotten
	UserAdmin       = "user_admin"
	UserChanged     = "user_changed"
	PasswordChanged = "password_changed"
	// One-time links for a first or a new password; refused: somebody opened one that
	// is used up, over, or another browser's.
	LinkMade    = "link_made"
	LinkOpened  = "link_opened"
	LinkRefused = "link_refused"
	// Mail that will not be sent any more, and why.
	MailGivenUp = "mail_given_up"
	// The directory says that an account is disabled, or does not have it any more:
	// what its logins gave has ended.
	DirectoryDisabled = "directory_disabled"
	// What a source outside knows a user by: a Kerberos principal or SID.
	IdentityLinked   = "identity_linked"
	IdentityUnlinked = "identity_unlinked"
	ClientAdded      = "client_added"
	ClientRemoved    = "client_removed"
	ClientChanged    = "client_changed"
	ClientRegistered = "client_registered" // by itself (RFC 7591)
	KeyAdded         = "key_added"
	KeyRetired       = "key_retired"
	GrantRevoked     = "grant_revoked"
	CodeReused       = "code_reused"
	RefreshReused    = "refresh_reused"
	// What became of telling a relying party that a session has ended; delayed is
	// the first attempt that got no answer.
	LogoutDelivered = "logout_delivered"
	LogoutRefused   = "logout_refused"
	LogoutDelayed   = "logout_delayed"
	LogoutGivenUp   = "logout_given_up"
	// What a user allowed a relying party, refused it, or took back.
	ConsentGiven   = "consent_given"
	ConsentDenied  = "consent_denied"
	ConsentRevoked = "consent_revoked"
	// What a user said to a device that asks to be logged in (RFC 8628).
	DeviceAllowed = "device_allowed"
	DeviceDenied  = "device_denied"
	// A relying party got a token for another audience in exchange for one of the same
	// user (RFC 8693).
	TokenExchanged = "token_exchanged"
	// Client secrets are rolled over: a second one is made, then the first goes.
	ClientSecretAdded   = "client_secret_added"
	ClientSecretDropped = "client_secret_dropped"
	// What people have beside a password or a ticket, and codes for its loss.
	FactorAdded       = "factor_added"
	FactorRemoved     = "factor_removed"
	FactorsReset      = "factors_reset" // all of a user's, by an administrator
	RecoveryCodesMade = "recovery_codes_made"
	RecoveryCodeUsed  = "recovery_code_used"
)

// Actors that are not users.
const (
	ActorServer = "server" // the running server itself: first logins, schedules
	ActorConfig = "config" // the configuration file
	ActorCLI    = "cli:"   // followed by the operating system's user name
	// ActorUpstream, followed by the id of an upstream: it told us of a sign-out there.
	ActorUpstream = "upstream:"
)
