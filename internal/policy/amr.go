package policy

// Authentication Method Reference values, RFC 8176 §2.
const (
	AMRTicket   = "wia" // Windows integrated authentication: a ticket
	AMRPassword = "pwd"
	AMROneTime  = "otp" // a time-based or a recovery code
	AMRPasskey  = "pop" // proof of possession of a key: a passkey
	// AMRUserVerified: the passkey made sure of its person, by a PIN or a finger.
	AMRUserVerified = "user"
	AMRMultiFactor  = "mfa"
)
