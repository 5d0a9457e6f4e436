package web

import (
	"html/template"
	"time"
)

// FactorStep is what all pages of a login's second step show.
type FactorStep struct {
	Action    string
	FormToken string
	LoginID   string // id of the login request; empty: the account's own pages
	Site      *Site  // nil: a page of our own asks
	User      string // who is logging in
	StartURL  string // the step without a choice
	OtherURL  string // log in as somebody else
	Notice    *Notice
	Reference string
	// Remember: offer to remember this device, which was wanted already when Remembered.
	Remember, Remembered bool
}

// FactorPage asks for a factor that somebody has.
type FactorPage struct {
	FactorStep
	Recovery     bool // a recovery code is asked for
	HasCode      bool // an app makes codes
	HasPasskey   bool
	NeedsPasskey bool // nothing less will do
	Passkey      *PasskeyForm
	RecoveryURL  string // "use a recovery code instead"; empty: there is none left
}

// FactorSetupPage sets up an app that makes codes.
type FactorSetupPage struct {
	FactorStep
	QR     string       // the d of an SVG path
	QRSize int          // its units
	Key    string       // the same for typing
	URI    template.URL // the same for an app on this device
	Name   string       // what the app is called so far
	Own    bool         // on the account's pages, by their own choice
}

// RecoveryCodesPage shows recovery codes, once.
type RecoveryCodesPage struct {
	FactorStep
	Codes []string
	Own   bool // on the account's pages
}

// FactorsPage lists what somebody has beside their password.
type FactorsPage struct {
	AccountFrame
	User                string
	Factors             []Factor
	Recovery            int64 // recovery codes that are left
	AppURL, RecoveryURL string
	PasskeyURL          string // empty: there can be none
	Notice              *Notice
}

// Factor is one of them.
type Factor struct {
	URL        string // its page
	Name, Kind string
	Since      time.Time
	Used       time.Time // zero: never
}

// FactorChangePage renames or removes one.
type FactorChangePage struct {
	FormToken string
	BackURL   string
	User      string
	Factor    Factor
	Last      bool // no other is left
	Needed    bool // and it cannot be removed
}

// RecoveryPage makes new recovery codes.
type RecoveryPage struct {
	FactorStep
	Left int64
}
