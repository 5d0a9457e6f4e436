package web

import "slices"

// PasskeyForm is a button that asks the browser for a passkey, by the script of the
// page, and sends what it answers. Where there are no scripts, or no passkeys, it is
// not shown.
type PasskeyForm struct {
	Action    string
	FormToken string
	LoginID   string // id of the login request; empty: the account's own pages
	Options   string // what the browser is asked, in JSON
	New       bool   // a passkey is to be made; else shown
	Fills     bool   // the field for names offers passkeys too (WebAuthn §5.1.4, "conditional")
	First     bool   // it is what to begin with
	Needed    bool   // nothing else will do: where it cannot be shown, the page says what to do
	Or        string // above or below: where "or" parts it from the other methods; may be empty
	Names     bool   // its person says what it is called
	Name      string // to begin with
}

// Stand tells the button where it stands among the methods of a login page.
func (f *PasskeyForm) Stand(methods []Method) {
	i := slices.Index(methods, Method{Kind: MethodPasskey})
	switch {
	case f == nil || i < 0:
	case i == 0:
		f.First, f.Or = true, "below"
	case i == 1:
		f.Or = "above"
	}
}

// NewPasskeyPage makes a passkey.
type NewPasskeyPage struct {
	FactorStep
	Passkey *PasskeyForm
}
