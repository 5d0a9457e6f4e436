package reason

import (
	"errors"
	"strings"
)

// Error is a refused credential.
type Error struct {
	Reason Code
	Name   string // who it was about: as typed, or the ticket's principal; may be empty
	UserID string // the same, where it is certain which user that was; else empty
	Detail string // for the log: names and numbers, never a secret
	Err    error  // the cause, may be nil
	Reply  []byte // a token that tells the client's library what it can mend, may be nil

	// Unasked: it was not looked at, for as many as may be were before, or the very same
	// was refused a moment ago. Anybody can be refused so without end, so the audit log
	// does not have it.
	Unasked bool
}

// Refuse makes an *Error; detail is for the log.
func Refuse(c Code, detail string) *Error { return &Error{Reason: c, Detail: detail} }

// Of is the code of the refusal that err is or wraps; empty for nil, and for an
// error that refuses nobody.
func Of(err error) Code {
	var refused *Error
	if errors.As(err, &refused) {
		return refused.Reason
	}
	return ""
}

// Error implements error; the text is for logs.
func (e *Error) Error() string {
	if why := e.Explain(); why != "" {
		return string(e.Reason) + ": " + why
	}
	return string(e.Reason)
}

// Explain is what log and audit say beside the code: the detail, and what the
// network, the file or another package said.
func (e *Error) Explain() string {
	switch {
	case e.Err == nil:
		return e.Detail
	case e.Detail == "":
		return e.Err.Error()
	}
	return e.Detail + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Short cuts a text that a stranger wrote, for a Detail: 120 bytes of it.
func Short(s string) string {
	if len(s) > 120 {
		return strings.ToValidUTF8(s[:120], "") + "…"
	}
	return s
}
