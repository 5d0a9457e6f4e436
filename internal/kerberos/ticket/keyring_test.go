package ticket

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"idp/internal/kerberos/krbtest"
)

// forbidden: containers may keep their programs from the kernel's keys. Nothing is read
// there, whatever is named, and what idp says is tested in place of what it reads.
func forbidden(t *testing.T, caches ...string) bool {
	t.Helper()
	_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true)
	if !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.ENOSYS) {
		return false
	}
	for _, cache := range caches {
		if who, err := readCacheOf(t, cache, anybody); err == nil || !strings.Contains(err.Error(), another) {
			t.Errorf("%s, where keys are forbidden: %q %v", cache, who, err)
		}
	}
	return true
}

// readCacheOf reads a keyring, and says whose it is.
func readCacheOf(t *testing.T, cache string, owner int) (who string, err error) {
	t.Helper()
	k, err := named(cache, owner, kcm{})
	must(t, err)
	c, err := k.read()
	if err != nil {
		return "", err
	}
	_, err = c.tgt(time.Now())
	return c.client.String(), err
}

// putAway destroys caches and unlinks the collection from where it hangs.
func putAway(t *testing.T, m *krbtest.Client, cache string) {
	t.Helper()
	t.Cleanup(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		must(t, m.Run(cache, "", "kdestroy", "-A"))
		k, err := newKeyring(strings.TrimPrefix(cache, "KEYRING:"), anybody)
		must(t, err)
		if ring, err := k.ring(); err == nil && k.anchor != "persistent" {
			unlink(ring)
		}
	})
}

func unlink(ring int) {
	for _, anchor := range []int{unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_USER_SESSION_KEYRING, unix.KEY_SPEC_SESSION_KEYRING} {
		_, _ = unix.KeyctlInt(unix.KEYCTL_UNLINK, ring, anchor, 0, 0) // it hangs at one of them
	}
}

func TestKeyrings(t *testing.T) {
	if forbidden(t, "KEYRING:persistent:", "KEYRING:user:x", "KEYRING:x") {
		return
	}
	r := krbtest.Start(t, krbtest.Options{Users: map[string]string{"alice": "alice-password", "bob": "bob-password"}})
	m, me, name := r.Client(), os.Getuid(), "idp-"+rand.Text()
	for _, cache := range []string{"KEYRING:session:s" + name, "KEYRING:user:u" + name, "KEYRING:l" + name} {
		if _, err := readCacheOf(t, cache, me); err == nil || !strings.Contains(err.Error(), "there is no ticket in KEYRING:") {
			t.Errorf("%s, before kinit: %v", cache, err)
		}
		putAway(t, m, cache)
		must(t, m.KinitTo(cache, "alice", "alice-password"))
		must(t, m.KinitTo(cache, "bob", "bob-password"))
		if who, err := readCacheOf(t, cache, me); err != nil || who != "bob@EXAMPLE.TEST" {
			t.Errorf("%s: %q %v, want the last one who came", cache, who, err)
		}
		must(t, m.Run(cache, "", "kswitch", "-p", "alice@EXAMPLE.TEST"))
		if who, err := readCacheOf(t, cache, me); err != nil || who != "alice@EXAMPLE.TEST" {
			t.Errorf("%s, after kswitch: %q %v", cache, who, err)
		}
		k, err := named(cache, me, kcm{})
		must(t, err)
		if all := k.all(); len(all) != 2 {
			t.Errorf("%s has %d caches, want 2", cache, len(all))
		}
	}
	// One cache of a collection whose primary one is not ours to set.
	cache := fmt.Sprintf("KEYRING:persistent:%d:%s", me, name)
	putAway(t, m, cache)
	must(t, m.KinitTo(cache, "alice", "alice-password"))
	if who, err := readCacheOf(t, cache, me); err != nil || who != "alice@EXAMPLE.TEST" {
		t.Errorf("%s: %q %v", cache, who, err)
	}
	for _, cache := range []string{"KEYRING:process:x", "KEYRING:thread:x", "KEYRING:elsewhere:x"} {
		if _, err := named(cache, me, kcm{}); err == nil {
			t.Errorf("%s is believed to be readable", cache)
		}
	}
}

// A single cache in the session's keyring is what MIT Kerberos left before it knew
// collections.
func TestKeyringOfOneCache(t *testing.T) {
	if forbidden(t, "KEYRING:x") {
		return
	}
	r := krbtest.Start(t, krbtest.Options{})
	cache := "KEYRING:idp-" + rand.Text()
	putAway(t, r.Client(), cache)
	must(t, r.Client().KinitTo(cache, "alice", krbtest.AlicePassword))
	k, err := newKeyring(strings.TrimPrefix(cache, "KEYRING:"), anybody)
	must(t, err)
	ring, err := k.ring()
	must(t, err)
	unlink(ring)
	if _, err := k.ring(); !errors.Is(err, unix.ENOKEY) {
		t.Fatalf("the collection is still there: %v", err)
	}
	if who, err := readCacheOf(t, cache, os.Getuid()); err != nil || who != "alice@EXAMPLE.TEST" {
		t.Errorf("%q %v", who, err)
	}
}

// TestHoleKeyringOfSomebodyElse: a session's keyring outlives su; what krb5.conf alone
// names there has to be our own.
func TestHoleKeyringOfSomebodyElse(t *testing.T) {
	if forbidden(t, "KEYRING:session:x") {
		return
	}
	r := krbtest.Start(t, krbtest.Options{})
	cache := "KEYRING:session:idp-" + rand.Text()
	putAway(t, r.Client(), cache)
	must(t, r.Client().KinitTo(cache, "alice", krbtest.AlicePassword))
	if _, err := readCacheOf(t, cache, os.Getuid()+1); err == nil || !strings.Contains(err.Error(), "belongs to somebody else") {
		t.Error(err)
	}
	if _, err := readCacheOf(t, cache, anybody); err != nil {
		t.Errorf("named: %v", err)
	}
}
