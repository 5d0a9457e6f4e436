package kerberos

import (
	"context"
	"log/slog"
	"time"

	"idp/internal/kerberos/keytab"
	"idp/internal/reason"
)

// Run watches the keytab files until ctx ends, and then returns nil. Call it
// once, in a goroutine of its own.
func (a *Acceptor) Run(ctx context.Context) error { return a.keytabs.Run(ctx) }

// Status is the state of the keytabs, for `idp check`, logs and the admin.
type Status struct {
	Keytabs []keytab.FileStatus
	Realms  []string // trusted
}

// Status tells what Ready judges.
func (a *Acceptor) Status() Status {
	s := Status{Keytabs: a.keytabs.Status()}
	for _, r := range a.opts.Realms {
		s.Realms = append(s.Realms, r.Name)
	}
	return s
}

// Ready returns nil if a usable key and a trusted realm exist, else a *reason.Error
// whose Detail says what is missing and what to do. While it is not nil,
// offering Negotiate or asking for a company password is pointless.
func (a *Acceptor) Ready() error {
	if len(a.opts.Realms) == 0 {
		return reason.Refuse(reason.Realm, "no realm is trusted: name yours under kerberos.realms")
	}
	return a.keytabs.Ready()
}

// Check is Ready for a configuration that is not running: it reads the keytabs
// and logs nothing.
func Check(c Config) error {
	never := func(context.Context, []byte, time.Time) (bool, error) { return false, nil }
	a, err := New(Options{Config: c, Seen: never, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	return a.Ready()
}
