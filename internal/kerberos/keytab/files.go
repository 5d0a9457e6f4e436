package keytab

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// pollEvery is how often keytab files are looked at. Polling sees what notify
// interfaces do not: network file systems, bind mounts, Kubernetes' symlinks.
const pollEvery = 2 * time.Second

// Files are the keytab files of the configuration, and the keys they last held.
// Safe for concurrent use.
type Files struct {
	allowed func(etype int32) bool
	log     *slog.Logger

	mu    sync.Mutex // guards files
	files []*file
	ring  atomic.Pointer[Ring]
}

// New reads the files at these paths. One that cannot be used is logged and is no
// error: Ready says what is wrong until it is repaired. allowed is the policy on
// encryption types, by which Status and Ready judge keys.
func New(paths []string, allowed func(etype int32) bool, log *slog.Logger) *Files {
	f := &Files{allowed: allowed, log: log}
	f.ring.Store(&Ring{})
	for _, path := range paths {
		f.files = append(f.files, &file{path: path})
	}
	f.Reload()
	return f
}

// Ring returns the keys of all files.
func (f *Files) Ring() Ring { return *f.ring.Load() }

// Entries are all entries of all files, read now, those of other services
// included: Ring has keys of HTTP/ services only.
func (f *Files) Entries() (all []*Key) {
	for _, file := range f.files {
		if b, err := read(file.path); err == nil {
			keys, _ := parseEntries(b)
			all = append(all, keys...)
		}
	}
	return all
}

// Reload looks at every keytab file and publishes the keys if one changed. A
// file that became unreadable keeps the keys it had: a half-written keytab must
// not end everybody's logins. It is logged once for each state of the file.
func (f *Files) Reload() {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed := false
	for _, file := range f.files {
		if !file.load() {
			continue
		}
		changed = true
		if file.err != nil {
			f.log.Warn("keytab not usable", "file", file.path, "error", file.err, "older_keys_kept", len(file.keys))
		} else {
			f.log.Info("keytab read", "file", file.path, "keys", len(file.keys))
		}
	}
	if !changed {
		return
	}
	var ring Ring
	for _, file := range f.files {
		ring = append(ring, file.keys...)
	}
	f.ring.Store(&ring)
}

// Run watches the files until ctx ends, and then returns nil. Call it once, in a
// goroutine of its own.
func (f *Files) Run(ctx context.Context) error {
	t := time.NewTicker(pollEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			f.Reload()
		}
	}
}
