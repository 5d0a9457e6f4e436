package audit

// told are the events that the person they are about is told of by mail, where mail is
// configured: every change of how somebody logs in. Whoever did it may not be who it is
// about. Of UserChanged only another mail address is told, to the one before.
var told = map[string]bool{
	PasswordChanged:   true,
	IdentityLinked:    true,
	IdentityUnlinked:  true,
	UserChanged:       true,
	FactorAdded:       true,
	FactorRemoved:     true,
	FactorsReset:      true,
	RecoveryCodesMade: true,
	RecoveryCodeUsed:  true,
	SessionsEnded:     true, // all of a person's, by themselves or an administrator
}

// Told reports whether the person that an event is about is told of it.
func Told(event string) bool { return told[event] }
