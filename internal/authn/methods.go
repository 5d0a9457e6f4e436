package authn

// What somebody showed, by the way it came: as log lines, audit entries and metrics call
// it. Never renamed: people search for them.
const (
	MethodTicket   = "ticket"
	MethodBasic    = "basic" // a name and a password, at the browser's prompt or by a program
	MethodForm     = "form"  // a name and a password
	MethodUpstream = "upstream"
	MethodLink     = "link"          // one that an administrator or the person had sent
	MethodCode     = "code"          // of an app, behind another
	MethodPasskey  = "passkey"       // alone, or behind another
	MethodRecovery = "recovery code" // behind another
	MethodStepUp   = "session"       // one that is to show more
	MethodUnknown  = "unknown"       // no credential that we know
)

// What log lines say instead where nobody is logged in by a request.
const (
	MethodChallenge    = "challenge"    // a credential is asked for
	MethodContinuation = "continuation" // the next token of a ticket's is
	MethodTest         = "setup-test"   // a ticket was only looked at
)
