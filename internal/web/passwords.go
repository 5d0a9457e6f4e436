package web

import "time"

// LinkPage is what a one-time link leads to: first a button, then the form for a
// password.
type LinkPage struct {
	Reset     bool // the user had a password before
	FormToken string
	Token     string // what is in the link: the button; empty: the form
	Name      string // of the form: whose password it is
	MinLength int    // characters of a password, at least
	Notice    *Notice
	Until     time.Time
	Reference string
}

// PasswordPage is where somebody changes their password.
type PasswordPage struct {
	AccountFrame
	FormToken string
	Elsewhere bool // it is not ours: it is changed where the company's are
	Changed   bool // a moment ago
	MinLength int  // characters of a password, at least
	Reference string
}
