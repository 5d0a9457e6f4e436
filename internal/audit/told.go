package audit

// told are the events that the person they are about is told of by mail, where mail is
// configured: every change of how somebody logs in. Whoever did it may not be who it is
// about. Of UserChanged only another mail address is told, to the one before.
var told = map[string]bool{
	PasswordChanged:       true,
	IdentityLinked:        true,
	IdentityUnlinked:      true,
	UserChanged:           true,
	"factor_added":        true,
	"factor_removed":      true,
	"factors_reset":       true,
	"recovery_codes_made": true,
	"recovery_code_used":  true,
	"sessions_ended":      true, // all of a person's, by themselves or an administrator
}

// Told reports whether the person that an event is about is told of it.
func Told(event string) bool { return told[event] }
