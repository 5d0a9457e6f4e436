package ticket

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// file is a cache in a file.
type file struct {
	name  string // as KRB5CCNAME has it
	path  string
	owner int // whose it has to be, or anybody
}

// read is the cache.
func (f file) read() (*cache, error) {
	b, err := f.content()
	if err != nil {
		return nil, err
	}
	c, err := parseCache(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.path, err)
	}
	c.name = f.name
	return c, nil
}

func (f file) all() []*cache { return nil }

func (f file) content() ([]byte, error) {
	in, err := os.OpenFile(f.path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not have us wait for its writer
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no ticket: %s does not exist; get one: kinit (is it elsewhere? klist tells, KRB5CCNAME=… says where)", f.path)
	case err != nil:
		return nil, err
	}
	defer in.Close()
	if err := f.readable(in); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(in, maxCache))
}

// readable says what is wrong with a cache before it is read. One that nobody named
// is in a folder where everybody may put files: it has to be our own, or others could
// log us in as themselves. The file is looked at as it was opened: a name may have
// come to mean another one since.
func (f file) readable(in *os.File) error {
	st, err := in.Stat()
	if err != nil {
		return err
	}
	if err := ownedBy(f.path, st, f.owner); err != nil {
		return err
	}
	if !st.Mode().IsRegular() || st.Size() > maxCache {
		return fmt.Errorf("%s: not a credential cache: no file of at most 4 MB", f.path)
	}
	return nil
}

// ownedBy refuses what is somebody else's.
func ownedBy(path string, st fs.FileInfo, owner int) error {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && owner != anybody && int(sys.Uid) != owner {
		return fmt.Errorf("%s belongs to somebody else (uid %d); if it is meant, name it by KRB5CCNAME", path, sys.Uid)
	}
	return nil
}
