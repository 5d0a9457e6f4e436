package ticket

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"

	"idp/internal/kerberos/kdc"
)

// another is how to get a cache that we can read.
const another = "get a ticket into a file: export KRB5CCNAME=FILE:/tmp/krb5cc_$(id -u); kinit"

// openCache opens the file of user me's cache: KRB5CCNAME, else what krb5.conf says, else
// MIT's default.
func openCache(kdcs *kdc.Client, me int) (*os.File, error) {
	configured, err := kdcs.DefaultCache()
	if err != nil {
		return nil, err
	}
	uid := strconv.Itoa(me)
	configured = strings.NewReplacer("%{uid}", uid, "%{euid}", uid, "%{USERID}", uid, "%{TEMP}", "/tmp", "%{null}", "").Replace(configured)
	named := os.Getenv("KRB5CCNAME")
	name := cmp.Or(named, configured, "FILE:/tmp/krb5cc_"+uid)
	kind, path, ok := strings.Cut(name, ":")
	switch {
	case !ok || strings.HasPrefix(name, "/"):
		path = name
	case kind != "FILE":
		return nil, fmt.Errorf("the tickets are in a cache of the kind %s (%s), which only libraries of Kerberos can read; %s", kind, name, another)
	}
	if strings.Contains(path, "%{") {
		return nil, fmt.Errorf("default_ccache_name of krb5.conf has a parameter that is not known here: %s; set KRB5CCNAME", path)
	}
	owner := anybody
	if named == "" {
		owner = me
	}
	return open(path, owner)
}

// anybody may own a cache that KRB5CCNAME names.
const anybody = -1

// open opens a cache and says what is wrong with it before it is read. One that nobody
// named is in a folder where everybody may put files: it has to be our own, or others
// could log us in as themselves. What is looked at is what was opened: the name may lead
// elsewhere a moment later.
func open(path string, owner int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) //nolint:gosec // the user names the file; nobody waits for the writer of a pipe
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no ticket: %s does not exist; get one: kinit (is it elsewhere? klist tells, KRB5CCNAME=FILE:… says where)", path)
	case err != nil:
		return nil, err
	}
	if err := readable(f, owner); err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

func readable(f *os.File, owner int) error {
	path := f.Name()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok && owner != anybody && int(sys.Uid) != owner {
		return fmt.Errorf("%s belongs to somebody else (uid %d); if it is meant, name it: KRB5CCNAME=FILE:%s", path, sys.Uid, path)
	}
	if !st.Mode().IsRegular() || st.Size() > maxCache {
		return fmt.Errorf("%s: not a credential cache: no file of at most 4 MB", path)
	}
	return nil
}
