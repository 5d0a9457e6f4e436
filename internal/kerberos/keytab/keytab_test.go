package keytab

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gokrb5 "github.com/jcmturner/gokrb5/v8/keytab"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

const (
	ourRealm = "EXAMPLE.TEST"
	ourSPN   = "HTTP/idp.localhost"
)

// write writes a keytab with keys of the given encryption types.
func write(t testing.TB, path, spn, password string, kvno uint8, etypes ...int32) {
	t.Helper()
	kt := gokrb5.New()
	for _, e := range etypes {
		must(t, kt.AddEntry(spn, ourRealm, password, time.Unix(1_700_000_000, 0), kvno, e))
	}
	b, err := kt.Marshal()
	must(t, err)
	must(t, os.WriteFile(path+".new", b, 0o600))
	must(t, os.Rename(path+".new", path))
}

// ticketFor is a ticket for our service, sealed with a key, as far as keys matter.
func ticketFor(t testing.TB, k *Key) *wire.Ticket {
	t.Helper()
	cipher, err := k.ticket.Seal([]byte("ticket"))
	must(t, err)
	return &wire.Ticket{Service: k.Principal, Part: wire.Sealed{Etype: k.Secret.Etype, KVNO: k.KVNO, Cipher: cipher}}
}

// expect opens a ticket and compares the reason why no key does; "": one does.
func expect(t *testing.T, f *Files, what string, ticket *wire.Ticket, want reason.Code) {
	t.Helper()
	_, plain, err := f.Ring().Open(ticket)
	var refused *reason.Error
	switch {
	case want == "":
		if err != nil || string(plain) != "ticket" {
			t.Errorf("%s: %q, %v", what, plain, err)
		}
	case !errors.As(err, &refused) || refused.Reason != want:
		t.Errorf("%s: %q, %v, want %s", what, plain, err, want)
	}
}

func aes(etype int32) bool { return wire.IsAES(etype) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestABrokenNewFileKeepsTheOldKeys(t *testing.T) {
	path := filepath.Join(t.TempDir(), "http.keytab")
	write(t, path, ourSPN, "service-password", 3, 18)
	var log bytes.Buffer
	f := New([]string{path}, aes, slog.New(slog.NewTextHandler(&log, nil)))
	good, err := os.ReadFile(path)
	must(t, err)
	log.Reset()
	must(t, os.WriteFile(path, good[:len(good)-10], 0o600))
	for range 3 {
		f.Reload()
	}
	if n := strings.Count(log.String(), "keytab not usable"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
	old := ticketFor(t, f.Ring()[0])
	expect(t, f, "with a broken file", old, "")
	if s := f.Status(); len(s) != 1 || s[0].Err != errKeytab || len(s[0].Keys) != 1 || f.Ready() != nil { //nolint:errorlint // nothing may be wrapped around it
		t.Errorf("%+v, %v", s, f.Ready())
	}
	must(t, os.Remove(path))
	f.Reload()
	expect(t, f, "with no file", old, "")
	write(t, path, ourSPN, "another-password", 4, 18)
	f.Reload()
	expect(t, f, "the old key, after a new keytab", old, reason.KVNO)
	expect(t, f, "the new key", ticketFor(t, f.Ring()[0]), "")
}

// Entries of other services open no ticket for us; that they are there can be seen.
func TestOnlyHTTPEntriesAreInTheRing(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/http", ourSPN, "p", 1, 18, 23)
	write(t, dir+"/ldap", "ldap/idp.localhost", "p", 1, 18)
	f := New([]string{dir + "/http", dir + "/ldap", dir + "/missing"}, aes, slog.New(slog.DiscardHandler))
	if ring, all := f.Ring(), f.Entries(); len(ring) != 2 || len(all) != 3 || all[2].Principal.Components[0] != "ldap" {
		t.Errorf("%d keys of %d entries", len(ring), len(all))
	}
	s := f.Status()
	if len(s) != 3 || s[0].Err != nil || s[1].Err != errNoHTTP || !errors.Is(s[2].Err, os.ErrNotExist) { //nolint:errorlint // as above
		t.Fatalf("%+v", s)
	}
	if k := s[0].Keys; !k[0].Allowed || k[1].Allowed || k[1].Etype != "rc4-hmac" {
		t.Errorf("%+v", k)
	}
}

func TestHoleKeytabTriesAtMost64Keys(t *testing.T) {
	var ring Ring
	for i := range 200 {
		k := &Key{Principal: wire.Principal{Components: []string{"HTTP", "x"}, Realm: ourRealm}, KVNO: uint32(i), Secret: wire.Key{Etype: 18, Value: bytes.Repeat([]byte{byte(i)}, 32)}}
		k.ticket, _ = wire.NewSealKey(k.Secret, wire.UsageTicket)
		ring = append(ring, k)
	}
	got := ring.candidates(&wire.Ticket{Service: ring[5].Principal, Part: wire.Sealed{Etype: 18, KVNO: 5}})
	if len(got) != 64 || got[0].KVNO != 5 || got[1].KVNO != 199 {
		t.Errorf("%d keys, first %d, then %d", len(got), got[0].KVNO, got[1].KVNO)
	}
}

func TestKeytabErrorsDoNotQuoteKeys(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "http.keytab")
	write(t, path, ourSPN, "service-password", 1, 18)
	whole, err := read(path)
	must(t, err)
	var log bytes.Buffer
	for cut := range whole {
		_, err := parse(whole[:cut])
		if err == nil {
			t.Errorf("cut after %d bytes: accepted", cut)
			continue
		}
		log.WriteString(err.Error())
	}
	key := whole[len(whole)-4-32 : len(whole)-4]
	if bytes.Contains(log.Bytes(), key[:8]) || log.Len() > 40*len(whole) {
		t.Error("an error text holds key bytes")
	}
}
