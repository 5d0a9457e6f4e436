package keytab

import (
	"fmt"
	"os"
	"syscall"
	"time"
)

// file is one configured file, with the keys it last held.
type file struct {
	path string
	seen stamp
	keys []*Key
	err  error // why it could not be read last time; keys are then older
}

// load reads the file if it changed, and reports whether it had.
func (f *file) load() bool {
	now := stampOf(f.path)
	if now == f.seen {
		return false
	}
	f.seen = now
	b, err := read(f.path)
	if err != nil {
		f.err = err
		return true
	}
	keys, err := parse(b)
	if f.err = err; err == nil {
		f.keys = keys
	}
	return true
}

// stamp tells one state of a file from another.
type stamp struct {
	mtime       time.Time
	ctime       syscall.Timespec // changes with mode and owner, too
	size        int64
	inode       uint64
	unreachable string // the error of stat, if any
}

func stampOf(path string) stamp {
	st, err := os.Stat(path)
	if err != nil {
		return stamp{unreachable: err.Error()}
	}
	s := stamp{mtime: st.ModTime(), size: st.Size()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		s.inode, s.ctime = sys.Ino, sys.Ctim
	}
	return s
}

// maxFile bounds a keytab, in bytes.
const maxFile = 1 << 20

func read(path string) ([]byte, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, fmt.Errorf("%s: not a file of at most 1 MB", path)
	}
	return os.ReadFile(path) //nolint:gosec // the admin names the files
}
