package web

import "time"

// LoginsPage shows by which logins elsewhere somebody comes in.
type LoginsPage struct {
	AccountFrame
	HasPassword bool // of ours
	Logins      []LinkedLogin
	Upstreams   []UpstreamButton // that can be linked
	FormToken   string           // empty: the visitor may change nothing before they log in once more, at
	ChangeURL   string
}

// LinkedLogin is one of them. Source and Key are empty for what cannot be unlinked.
type LinkedLogin struct {
	Name, Label string
	Upstream    string // its id; empty: none, or no longer configured
	Source, Key string
	Since, Used time.Time // Used is zero when nobody knows
	Last        bool      // nothing else is left to log in by
}
