package keytab

import (
	"errors"
	"strings"
	"time"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// FileStatus is the state of one file.
type FileStatus struct {
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

// Status tells what Ready judges, file by file.
func (f *Files) Status() (list []FileStatus) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, file := range f.files {
		s := FileStatus{Path: file.path, Err: file.err}
		for _, k := range file.keys {
			s.Keys = append(s.Keys, KeyStatus{k.Principal.String(), k.KVNO, k.Made, wire.EtypeName(k.Secret.Etype), f.allowed(k.Secret.Etype)})
		}
		list = append(list, s)
	}
	return list
}

// Ready returns nil if there is a key that may be used, else a *reason.Error whose
// Detail says what is missing and what to do.
func (f *Files) Ready() error {
	ring := f.Ring()
	for _, k := range ring {
		if k.Usable() && f.allowed(k.Secret.Etype) {
			return nil
		}
	}
	if len(ring) > 0 {
		return reason.Refuse(reason.Etype, "the keytab holds only "+strings.Join(ring.etypes(), ", ")+
			" keys: let the account use AES, set its password again, and export the keytab again")
	}
	return &reason.Error{Reason: reason.NoKeytab, Err: f.errors(),
		Detail: "no keytab with an HTTP/ entry: export one for HTTP/your.host.name and name it under kerberos.keytabs"}
}

func (r Ring) etypes() (names []string) {
	seen := map[string]bool{}
	for _, k := range r {
		if n := wire.EtypeName(k.Secret.Etype); !seen[n] {
			seen[n] = true
			names = append(names, n)
		}
	}
	return names
}

func (f *Files) errors() error {
	var errs []error
	for _, s := range f.Status() {
		if s.Err != nil {
			errs = append(errs, &fileError{s.Path, s.Err})
		}
	}
	return errors.Join(errs...)
}

// fileError names the file, which the errors of os already do.
type fileError struct {
	path string
	err  error
}

func (e *fileError) Error() string {
	if strings.Contains(e.err.Error(), e.path) {
		return e.err.Error()
	}
	return e.path + ": " + e.err.Error()
}

func (e *fileError) Unwrap() error { return e.err }
