package ticket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"idp/internal/kerberos/wire"
)

// keyring is a collection of caches among the kernel's keys, keyrings(7): a keyring of
// keyrings, each of which is a cache whose keys are the tickets. MIT Kerberos'
// cc_keyring.c describes it. Nothing is written to it.
type keyring struct {
	anchor     string // where it hangs: persistent, user, session, or legacy
	collection string // its name; of the persistent one, a uid, or empty for our own
	subsidiary string // the name of one cache; empty: the primary one
	owner      int    // whose it has to be, or anybody
}

// newKeyring is a collection by its name after KEYRING:, which is
// anchor:collection:subsidiary, anchor:collection, or, as once, the collection alone.
func newKeyring(name string, owner int) (keyring, error) {
	k := keyring{anchor: "legacy", collection: name, owner: owner}
	if anchor, rest, ok := strings.Cut(name, ":"); ok {
		k.anchor = anchor
		k.collection, k.subsidiary, _ = strings.Cut(rest, ":")
	}
	switch k.anchor {
	case "persistent", "user", "session", "legacy":
		return k, nil
	case "process", "thread":
		return k, fmt.Errorf("the tickets are in a keyring of one %s (KEYRING:%s), which no other program can see; %s", k.anchor, name, another)
	}
	return k, fmt.Errorf("KEYRING:%s: no such keyring: want persistent, user or session", name)
}

// named is one cache of the collection, as KRB5CCNAME has it.
func (k keyring) named(cache string) string {
	return "KEYRING:" + k.anchor + ":" + k.collection + ":" + cache
}

func (k keyring) read() (*cache, error) {
	runtime.LockOSThread() // whose keys we may see is known by thread
	defer runtime.UnlockOSThread()
	id, name, err := k.find()
	if err != nil {
		return nil, k.explain(err)
	}
	c, err := k.cache(id, k.named(name))
	return c, k.explain(err)
}

// find is the keyring of the one cache, or the primary one.
func (k keyring) find() (id int, name string, err error) {
	ring, err := k.ring()
	if errors.Is(err, unix.ENOKEY) && k.anchor == "legacy" { // a single cache, as older versions left it
		id, err = unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "keyring", k.collection, 0)
		return id, k.collection, err
	}
	if err != nil {
		return 0, "", err
	}
	if name = k.subsidiary; name == "" {
		if name, err = k.primary(ring); err != nil {
			return 0, "", err
		}
	}
	id, err = unix.KeyctlSearch(ring, "keyring", name, 0)
	return id, name, err
}

func (k keyring) all() (out []*cache) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ring, err := k.ring()
	if err != nil || k.subsidiary != "" {
		return nil
	}
	ids, err := keysOf(ring)
	if err != nil {
		return nil
	}
	for _, id := range ids[:min(len(ids), maxCaches)] {
		kind, _, name, err := describe(id)
		if err != nil || kind != "keyring" || wire.CheckName(name) != nil {
			continue
		}
		if c, err := k.cache(id, k.named(name)); err == nil {
			out = append(out, c)
		}
	}
	return out
}

// ring is the keyring of the collection. Those that hang elsewhere are linked to our
// process first: it may read only what it possesses.
func (k keyring) ring() (int, error) {
	switch k.anchor {
	case "persistent":
		uid := os.Geteuid()
		if k.collection != "" {
			var err error
			if uid, err = strconv.Atoi(k.collection); err != nil {
				return 0, fmt.Errorf("want the number of a user, got %q", k.collection)
			}
		}
		anchor, err := unix.KeyctlInt(unix.KEYCTL_GET_PERSISTENT, uid, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0)
		if errors.Is(err, unix.EOPNOTSUPP) && uid == os.Geteuid() {
			anchor, err = unix.KEY_SPEC_USER_KEYRING, nil
		}
		if err != nil {
			return 0, err
		}
		return unix.KeyctlSearch(anchor, "keyring", "_krb", unix.KEY_SPEC_PROCESS_KEYRING)
	case "user":
		return unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, "keyring", "_krb_"+k.collection, unix.KEY_SPEC_PROCESS_KEYRING)
	}
	return unix.KeyctlSearch(unix.KEY_SPEC_SESSION_KEYRING, "keyring", "_krb_"+k.collection, 0)
}

// primary is the name of the cache that programs take.
func (k keyring) primary(ring int) (string, error) {
	id, err := unix.KeyctlSearch(ring, "user", "krb_ccache:primary", 0)
	if errors.Is(err, unix.ENOKEY) {
		if k.collection == "" {
			return "tkt", nil // what MIT Kerberos begins with
		}
		return k.collection, nil
	}
	if err != nil {
		return "", err
	}
	b, err := readKey(id)
	if err != nil {
		return "", err
	}
	r := &reader{rest: b}
	version, name := r.u32(), string(r.data())
	if r.bad || version != 1 || wire.CheckName(name) != nil {
		return "", errCache
	}
	return name, nil
}

// cache reads the cache that keyring id is.
func (k keyring) cache(id int, name string) (*cache, error) {
	if _, uid, _, err := describe(id); err != nil {
		return nil, err
	} else if k.owner != anybody && uid != k.owner {
		return nil, fmt.Errorf("belongs to somebody else (uid %d); if it is meant, name it by KRB5CCNAME", uid)
	}
	whose, err := unix.KeyctlSearch(id, "user", "__krb5_princ__", 0)
	if err != nil {
		return nil, err
	}
	b, err := readKey(whose)
	if err != nil {
		return nil, err
	}
	out := &cache{name: name}
	r := &reader{rest: b}
	if out.client = r.principal(); r.bad || checkPrincipal(out.client) != nil {
		return nil, errCache
	}
	ids, err := keysOf(id)
	left := maxCache
	for _, key := range ids {
		b, err := readKey(key)
		if left -= len(b); err != nil || left < 0 {
			continue // it may have ended meanwhile
		}
		r := &reader{rest: b}
		if e := r.entry(); !r.bad { // else whose they are, or how the KDC's clock goes
			out.entries = append(out.entries, e)
		}
	}
	return out, err
}

// explain says what to do when there is nothing, or nothing may be seen.
func (k keyring) explain(err error) error {
	where := strings.TrimSuffix(k.named(k.subsidiary), ":")
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.ENOKEY) || errors.Is(err, unix.EKEYEXPIRED) || errors.Is(err, unix.EKEYREVOKED):
		return fmt.Errorf("there is no ticket in %s, or it has ended; get one: kinit (is it elsewhere? klist tells, KRB5CCNAME=… says where)", where)
	case errors.Is(err, unix.EPERM) || errors.Is(err, unix.EACCES) || errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%s: this machine or container does not let the keys of the kernel be read (%w); %s", where, err, another)
	}
	return fmt.Errorf("%s: %w", where, err)
}

// readKey is what a key holds.
func readKey(id int) ([]byte, error) {
	size, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, nil, 0)
	if err != nil {
		return nil, err
	}
	if size > maxCache {
		return nil, errCache
	}
	b := make([]byte, size)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, b, 0)
	if err == nil && n != size {
		err = errCache // it changed meanwhile
	}
	return b, err
}

// keysOf are the numbers of the keys in a keyring.
func keysOf(ring int) (ids []int, err error) {
	b, err := readKey(ring)
	for ; len(b) >= 4; b = b[4:] {
		ids = append(ids, int(int32(binary.NativeEndian.Uint32(b)))) //nolint:gosec // a number with a sign, in 32 bits
	}
	return ids[:min(len(ids), maxParts)], err
}

// describe tells a key's type, owner and name.
func describe(id int) (kind string, uid int, name string, err error) {
	text, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, id)
	if err != nil {
		return "", 0, "", err
	}
	parts := strings.SplitN(text, ";", 5) // type;uid;gid;permissions;name
	if len(parts) != 5 {
		return "", 0, "", errCache
	}
	uid, err = strconv.Atoi(parts[1])
	return parts[0], uid, parts[4], err
}
