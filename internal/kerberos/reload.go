package kerberos

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"syscall"
	"time"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Errors of a keytab file.
var (
	errKeytab = errors.New("is not a keytab")
	errNoHTTP = errors.New("holds no HTTP/ entry")
)

// pollEvery is how often keytab files are looked at. Polling sees what notify
// interfaces do not: network file systems, bind mounts, Kubernetes' symlinks.
const pollEvery = 2 * time.Second

// stamp tells one state of a file from another.
type stamp struct {
	mtime       time.Time
	ctime       syscall.Timespec // changes with mode and owner, too
	size        int64
	inode       uint64
	unreachable string // the error of stat, if any
}

func stampOf(file string) stamp {
	st, err := os.Stat(file)
	if err != nil {
		return stamp{unreachable: err.Error()}
	}
	s := stamp{mtime: st.ModTime(), size: st.Size()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		s.inode, s.ctime = sys.Ino, sys.Ctim
	}
	return s
}

// keytabFile is one configured file, with the keys it last held.
type keytabFile struct {
	path string
	seen stamp
	keys []*serviceKey
	err  error // why it could not be read last time; keys are then older
}

// load reads the file if it changed, and reports whether it had.
func (f *keytabFile) load() bool {
	now := stampOf(f.path)
	if now == f.seen {
		return false
	}
	f.seen = now
	b, err := readBounded(f.path)
	if err != nil {
		f.err = err
		return true
	}
	keys, err := parseKeytab(b)
	if f.err = err; err == nil {
		f.keys = keys
	}
	return true
}

// reload looks at every keytab file and publishes the keys if one changed. A
// file that became unreadable keeps the keys it had: a half-written keytab must
// not end everybody's logins. It is logged once for each state of the file.
func (a *Acceptor) reload() {
	a.mu.Lock()
	defer a.mu.Unlock()
	changed := false
	for _, f := range a.files {
		if !f.load() {
			continue
		}
		changed = true
		if f.err != nil {
			a.opts.Log.Warn("keytab not usable", "file", f.path, "error", f.err, "older_keys_kept", len(f.keys))
		} else {
			a.opts.Log.Info("keytab read", "file", f.path, "keys", len(f.keys))
		}
	}
	if !changed {
		return
	}
	ring := &keyring{}
	for _, f := range a.files {
		ring.keys = append(ring.keys, f.keys...)
	}
	a.ring.Store(ring)
}

// Run watches the keytab files until ctx ends, and then returns nil. Call it
// once, in a goroutine of its own.
func (a *Acceptor) Run(ctx context.Context) error {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			a.reload()
		}
	}
}

// Status is the state of the keytabs, for `idp check`, logs and the admin.
type Status struct {
	Keytabs []KeytabStatus
	Realms  []string // trusted
}

// KeytabStatus is the state of one file.
type KeytabStatus struct {
	Path string
	Err  error // nil, or why the file as it is now cannot be used
	Keys []KeyStatus
}

// KeyStatus is one HTTP/ entry.
type KeyStatus struct {
	Principal string
	KVNO      uint32
	Made      time.Time // when it was written to the keytab; zero if that does not say
	Etype     string    // aes256-cts-hmac-sha1-96, …
	Allowed   bool      // by the policy on encryption types
}

// Status tells what Ready judges.
func (a *Acceptor) Status() Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	var s Status
	for _, r := range a.opts.Realms {
		s.Realms = append(s.Realms, r.Name)
	}
	for _, f := range a.files {
		k := KeytabStatus{Path: f.path, Err: f.err}
		for _, key := range f.keys {
			k.Keys = append(k.Keys, KeyStatus{key.spn.String(), key.kvno, key.made, wire.EtypeName(key.block.Etype), a.etypeAllowed(key.block.Etype)})
		}
		s.Keytabs = append(s.Keytabs, k)
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
	ring := a.ring.Load()
	for _, k := range ring.keys {
		if k.ticket != nil && a.etypeAllowed(k.block.Etype) {
			return nil
		}
	}
	if len(ring.keys) > 0 {
		return reason.Refuse(reason.Etype, "the keytab holds only "+strings.Join(a.etypesOf(ring), ", ")+
			" keys: let the account use AES, set its password again, and export the keytab again")
	}
	return &reason.Error{Reason: reason.NoKeytab, Err: a.keytabErrors(),
		Detail: "no keytab with an HTTP/ entry: export one for HTTP/your.host.name and name it under kerberos.keytabs"}
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

func (a *Acceptor) etypesOf(ring *keyring) (names []string) {
	seen := map[string]bool{}
	for _, k := range ring.keys {
		if n := wire.EtypeName(k.block.Etype); !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	return names
}

func (a *Acceptor) keytabErrors() error {
	var errs []error
	for _, k := range a.Status().Keytabs {
		if k.Err != nil {
			errs = append(errs, &keytabError{k.Path, k.Err})
		}
	}
	return errors.Join(errs...)
}

// keytabError names the file, which the errors of os already do.
type keytabError struct {
	path string
	err  error
}

func (e *keytabError) Error() string {
	if strings.Contains(e.err.Error(), e.path) {
		return e.err.Error()
	}
	return e.path + ": " + e.err.Error()
}

func (e *keytabError) Unwrap() error { return e.err }
