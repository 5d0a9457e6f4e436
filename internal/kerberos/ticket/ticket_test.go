package ticket

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"idp/internal/kerberos/kdc"
	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/spnego"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

var alice = wire.Principal{Components: []string{"alice"}, Realm: "EXAMPLE.TEST", NameType: 1}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// cacheOf is the file that MIT's kinit writes for alice.
func cacheOf(t testing.TB) (path string, content []byte) {
	t.Helper()
	r := krbtest.Start(t, krbtest.Options{})
	path, err := r.Kinit("alice", krbtest.AlicePassword)
	must(t, err)
	t.Setenv("KRB5_CONFIG", r.Krb5Conf)
	t.Setenv("KRB5CCNAME", path)
	content, err = os.ReadFile(path)
	must(t, err)
	return path, content
}

// answer is what an honest service says to x's authenticator.
func answer(t *testing.T, session wire.Key, ctime time.Time, cusec int64) []byte {
	t.Helper()
	o := &spnego.Offer{SPNEGO: true}
	reply, _, err := o.Answer(session, &wire.Authenticator{CTime: ctime, CUsec: cusec})
	must(t, err)
	return reply
}

// TestHoleAnswerToAnotherExchange: with one ticket a service is asked many times, and
// an answer to one of them proves nothing in another.
func TestHoleAnswerToAnotherExchange(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	ticket, err := r.Ticket("alice", krbtest.AlicePassword, "HTTP/idp.localhost")
	must(t, err)
	der, err := ticket.Ticket.Marshal()
	must(t, err)
	key := wire.Key{Etype: ticket.Key.KeyType, Value: ticket.Key.KeyValue}
	x, err := begin(alice, &kdc.ServiceTicket{Ticket: der, Session: key}, wire.Binding{})
	must(t, err)
	if err := x.Verify(answer(t, key, x.ctime, x.cusec)); err != nil {
		t.Errorf("the answer to it: %v", err)
	}
	other := wire.Key{Etype: key.Etype, Value: slices.Clone(key.Value)}
	other.Value[0] ^= 1
	for name, reply := range map[string][]byte{
		"a microsecond later": answer(t, key, x.ctime, (x.cusec+1)%1_000_000),
		"a second later":      answer(t, key, x.ctime.Add(time.Second), x.cusec),
		"another session key": answer(t, other, x.ctime, x.cusec),
		"our own token":       x.Token,
		"an error":            krbtest.NegTokenResp(krbtest.NegReject, "", spnego.ErrorToken(wire.KRBErrorMessage(41, time.Now(), alice)), nil),
		"request-mic":         bytes.Replace(answer(t, key, x.ctime, x.cusec), []byte{0x0a, 1, 0}, []byte{0x0a, 1, 3}, 1),
	} {
		if err := x.Verify(reply); reason.Of(err) != reason.NotGenuine {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTicketThatEnded(t *testing.T) {
	cacheOf(t)
	if _, err := Open(time.Now()); err != nil {
		t.Error(err)
	}
	if _, err := Open(time.Now().Add(25 * time.Hour)); reason.Of(err) != reason.Expired || !strings.Contains(err.Error(), "alice@EXAMPLE.TEST") {
		t.Errorf("a day later: %v", err)
	}
}

func TestTicketThatIsNotValidYet(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	t.Setenv("KRB5_CONFIG", r.Krb5Conf)
	now := time.Now()
	for _, c := range []struct {
		options []string
		at      time.Time
		want    string
	}{
		{nil, now.Add(-time.Hour), "is this machine's clock right?"},
		{nil, now.Add(-time.Minute), ""}, // clocks may be some minutes apart
		{[]string{"-s", "1h"}, now, "when kinit -v makes it valid"},
		{[]string{"-s", "1h"}, now.Add(90 * time.Minute), "have the KDC make it so: kinit -v"},
	} {
		path, err := r.Kinit("alice", krbtest.AlicePassword, c.options...)
		must(t, err)
		t.Setenv("KRB5CCNAME", path)
		_, err = Open(c.at)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("kinit %v, read %s later: %v, want %q", c.options, c.at.Sub(now), err, c.want)
		}
	}
}

// TestHoleCacheOfSomebodyElse: everybody may put a file where kinit puts it, and so
// have us log in as themselves.
func TestHoleCacheOfSomebodyElse(t *testing.T) {
	path, _ := cacheOf(t)
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	must(t, os.WriteFile(conf, []byte("[libdefaults]\ndefault_ccache_name = "+path+"\n"), 0o600))
	for _, named := range []string{"", path} {
		t.Setenv("KRB5CCNAME", named)
		if c, err := readAs(conf, os.Getuid()); err != nil || c.name != path {
			t.Errorf("our own, named %q: %+v %v", named, c, err)
		}
		if _, err := readAs(conf, os.Getuid()+1); (err == nil) != (named != "") {
			t.Errorf("somebody else's, named %q: %v", named, err)
		}
	}
}

// TestHoleCacheSwappedWhileItIsOpened: a name that leads to a file of ours when it is
// looked at, and to somebody else's when it is read.
func TestHoleCacheSwappedWhileItIsOpened(t *testing.T) {
	dir := t.TempDir()
	ours, theirs, name, next := filepath.Join(dir, "ours"), "/etc/passwd", filepath.Join(dir, "name"), filepath.Join(dir, "next")
	must(t, os.WriteFile(ours, []byte("ours"), 0o600))
	if os.Getuid() == 0 {
		theirs = filepath.Join(dir, "theirs")
		must(t, errors.Join(os.WriteFile(theirs, []byte("theirs"), 0o644), os.Chown(theirs, 65534, -1)))
	}
	must(t, os.Symlink(ours, name))
	var swapping sync.WaitGroup
	var stop atomic.Bool
	defer swapping.Wait() // in a folder that can go then
	defer stop.Store(true)
	swapping.Go(func() {
		for i := 0; !stop.Load(); i++ {
			_ = errors.Join(os.Symlink([]string{ours, theirs}[i%2], next), os.Rename(next, name))
		}
	})
	opened := 0
	for range 20_000 {
		text, err := file{name: name, path: name, owner: os.Getuid()}.content()
		if err != nil {
			continue
		}
		if opened++; string(text) != "ours" {
			t.Fatalf("read %.20q", text)
		}
	}
	if opened == 0 {
		t.Error("it was never opened")
	}
}

// readAs reads what user me finds.
func readAs(conf string, me int) (*cache, error) {
	from, err := find(kdc.New(kdc.Config{Krb5Conf: conf}), me)
	if err != nil {
		return nil, err
	}
	return from.read()
}

// TestCacheOfVersion3 is what Java writes: each key says its type twice.
func TestCacheOfVersion3(t *testing.T) {
	_, content := cacheOf(t)
	c, err := parseCache(content)
	must(t, err)
	e, err := c.tgt(time.Now())
	must(t, err)
	third := written(c.client, e, true)
	got, err := parseCache(third)
	must(t, err)
	again, err := got.tgt(time.Now())
	if err != nil || !bytes.Equal(e.ticket, again.ticket) || !bytes.Equal(e.key.Value, again.key.Value) || !e.end.Equal(again.end) {
		t.Errorf("%v %v, want %v", err, again, e)
	}
}

func TestWhereTheKDCIsAsked(t *testing.T) {
	_, _ = cacheOf(t)
	tickets, err := Open(time.Now())
	must(t, err)
	x, err := tickets.Exchange(t.Context(), "idp.localhost", []byte("hash"))
	must(t, err)
	if o, err := spnego.ParseOffer(x.Token); err != nil || o.Second {
		t.Errorf("%+v %v", o, err)
	}
	conf := filepath.Join(t.TempDir(), "krb5.conf")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	must(t, l.Close())
	must(t, os.WriteFile(conf, fmt.Appendf(nil, "[libdefaults]\ndns_lookup_kdc = false\n[realms]\nEXAMPLE.TEST = {\nkdc = %s\n}\n", l.Addr()), 0o600))
	t.Setenv("KRB5_CONFIG", conf)
	tickets, err = Open(time.Now())
	must(t, err)
	if _, err := tickets.Exchange(t.Context(), "idp.localhost", nil); reason.Of(err) != reason.Unreachable {
		t.Error(err)
	}
}
