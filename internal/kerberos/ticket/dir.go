package ticket

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"idp/internal/kerberos/wire"
)

// dir is a folder of caches, whose file "primary" names the one that programs take:
// kinit for several people, kswitch between them.
type dir struct {
	path  string
	owner int // whose it has to be, or anybody
}

// Bounds of a folder of caches.
const (
	maxPrimary = 64 // bytes of the file "primary", as MIT Kerberos has it
	maxCaches  = 64 // looked at, of one collection
)

// read is the primary cache.
func (d dir) read() (*cache, error) {
	st, err := os.Stat(d.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no ticket: the folder %s does not exist; get one: kinit", d.path)
	case err != nil:
		return nil, err
	case !st.IsDir():
		return nil, fmt.Errorf("%s is no folder of credential caches; for a single one: KRB5CCNAME=FILE:%s", d.path, d.path)
	}
	if err := ownedBy(d.path, st, d.owner); err != nil {
		return nil, err
	}
	name, err := d.primary()
	if err != nil {
		return nil, err
	}
	return d.file(name).read()
}

// primary is the name of the file of the primary cache. It is one of the folder, and
// named as caches there are: what the file says must not lead elsewhere.
func (d dir) primary() (string, error) {
	path := filepath.Join(d.path, "primary")
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the user names the folder
	if errors.Is(err, fs.ErrNotExist) {
		return "tkt", nil // what MIT Kerberos begins with
	}
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxPrimary))
	if err != nil {
		return "", err
	}
	name, _, ok := strings.Cut(string(b), "\n")
	if !ok || !isSubsidiary(name) {
		return "", fmt.Errorf("%s does not name a credential cache of its folder; kswitch -p PRINCIPAL writes it anew", path)
	}
	return name, nil
}

// isSubsidiary: a cache of a folder is called tkt and something.
func isSubsidiary(name string) bool {
	return strings.HasPrefix(name, "tkt") && !strings.ContainsAny(name, `/\`) && wire.CheckName(name) == nil
}

func (d dir) file(name string) file {
	path := filepath.Join(d.path, name)
	return file{name: "DIR::" + path, path: path, owner: d.owner}
}

// all are the caches of the folder that can be read.
func (d dir) all() (out []*cache) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil
	}
	for _, e := range entries {
		if !isSubsidiary(e.Name()) || len(out) == maxCaches {
			continue
		}
		if c, err := d.file(e.Name()).read(); err == nil {
			out = append(out, c)
		}
	}
	return out
}
