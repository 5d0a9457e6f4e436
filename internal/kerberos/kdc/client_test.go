package kdc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// newClient makes a client of a realm's KDCs that wants AES.
func newClient(r *krbtest.Realm) *Client {
	return New(Config{Krb5Conf: r.Krb5Conf, EtypeAllowed: func(etype int32) bool { return etype >= 17 && etype <= 20 }})
}

var someone = wire.Principal{Components: []string{"alice"}, Realm: "EXAMPLE.TEST", NameType: 1}

func silent([]byte) []byte { return nil }

func TestHoleKDCCallsHedgeAHangingKDC(t *testing.T) {
	var asked atomic.Int32
	hanging := krbtest.FakeKDC(t, func([]byte) []byte {
		asked.Add(1)
		return nil
	})
	r := krbtest.Start(t, krbtest.Options{KDCBefore: []string{hanging}})
	c := newClient(r)
	began := time.Now()
	_, err := c.Login(t.Context(), someone, krbtest.AlicePassword)
	t.Logf("a login whose first KDC hangs took %s", time.Since(began))
	if err != nil || asked.Load() != 1 {
		t.Errorf("the KDC that hangs was asked %d times, %v", asked.Load(), err)
	}
	// The next one knows who answers.
	_, err = c.Login(t.Context(), someone, krbtest.AlicePassword)
	if err != nil || asked.Load() != 1 {
		t.Errorf("the second time: asked %d times in all, %v", asked.Load(), err)
	}
}

func TestHoleKDCCallsOneWrongPasswordIsOneGuess(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	var guesses atomic.Int32
	// Both KDCs are slower than the hedge, as when the directory is busy.
	slow := func(req []byte) []byte {
		if bytes.Contains(req, []byte{0xa1, 3, wire.TagInteger, 1, 2}) { // PA-ENC-TIMESTAMP
			guesses.Add(1)
			<-time.After(2 * HedgeAfter)
		}
		reply, err := r.Relay(req)
		if err != nil {
			return []byte{}
		}
		return krbtest.Framed(reply)
	}
	c := newClient(r)
	r.UseKDCs(t, "udp_preference_limit = 1", krbtest.FakeKDC(t, slow), krbtest.FakeKDC(t, slow))
	_, err := c.Login(t.Context(), someone, "wrong")
	if got := reasonOf(t, err); got != reason.BadPassword || guesses.Load() != 1 {
		t.Errorf("%q after %d guesses, want 1: each counts against the account", got, guesses.Load())
	}
}

func TestHoleKDCCallsHaveDeadlines(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	c := newClient(r)
	r.UseKDCs(t, "udp_preference_limit = 1", krbtest.FakeKDC(t, silent), krbtest.FakeKDC(t, silent))
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	_, err := c.Login(ctx, someone, krbtest.AlicePassword)
	if got := reasonOf(t, err); got != reason.Unreachable || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%q (%v)", got, err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Login(gone, someone, krbtest.AlicePassword); reasonOf(t, err) != reason.Unreachable || !errors.Is(err, context.Canceled) {
		t.Errorf("of a client that is gone: %v", err)
	}
}

func TestHoleKDCCallsLeakNoGoroutines(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	c := newClient(r)
	r.UseKDCs(t, "udp_preference_limit = 1", krbtest.FakeKDC(t, silent), krbtest.FakeKDC(t, silent))
	const calls = 20
	before := runtime.NumGoroutine()
	for range calls {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err := c.Login(ctx, someone, krbtest.AlicePassword)
		cancel()
		if got := reasonOf(t, err); got != reason.Unreachable {
			t.Fatalf("%q (%v)", got, err)
		}
	}
	// Ours end with the call, and with them the fakes', which read until then.
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() >= before+calls && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n >= before+calls {
		t.Errorf("%d goroutines after %d calls, %d before", n, calls, before)
	}
}

// KDCs are asked in the order that the administrator chose, not in any other.
func TestHoleKDCCallsKeepTheOrder(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	var first, second atomic.Int32
	counting := func(n *atomic.Int32) string {
		return krbtest.FakeKDC(t, func(req []byte) []byte {
			n.Add(1)
			reply, err := r.Relay(req)
			if err != nil {
				return []byte{}
			}
			return krbtest.Framed(reply)
		})
	}
	r.UseKDCs(t, "udp_preference_limit = 1", counting(&first), counting(&second))
	const logins = 8
	for range logins {
		if _, err := newClient(r).Exchange(t.Context(), r.Name, asReq(t, r), time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if first.Load() != logins || second.Load() != 0 {
		t.Errorf("the first was asked %d times, the second %d times", first.Load(), second.Load())
	}
}

// asReq is a question without a proof.
func asReq(t *testing.T, r *krbtest.Realm) []byte {
	t.Helper()
	x := &asExchange{c: newClient(r), client: someone}
	req, err := x.request()
	must(t, err)
	b, err := req.Marshal()
	must(t, err)
	return b
}

// What a KDC says is a reason that can be told apart, not a text.
func TestHoleKDCCallsTellReasonsApart(t *testing.T) {
	seen := map[reason.Code]int32{}
	for code, want := range map[int32]reason.Code{
		6: reason.ClientUnknown, 24: reason.BadPassword, 23: reason.PasswordExpired, 18: reason.Locked, 1: reason.AccountExpired,
		12: reason.Policy, 37: reason.ClockSkew, 14: reason.Etype, 7: reason.WrongSPN, 60: reason.KDCError,
	} {
		err := refusal(wire.KRBError{Code: code, Text: "text"}, "alice")
		if other, twice := seen[err.Reason]; twice || err.Reason != want || !strings.Contains(err.Explain(), "alice: KDC says") {
			t.Errorf("%d: %v, want %s (%d has it, too)", code, err, want, other)
		}
		seen[err.Reason] = code
	}
}

func TestHoleKDCCallsBoundReplies(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	c := newClient(r)
	for what, reply := range map[string][]byte{
		"2 GB announced":    {0x7f, 0xff, 0xff, 0xff},
		"a negative size":   {0xff, 0xff, 0xff, 0xff, 0},
		"empty":             {0, 0, 0, 0},
		"not Kerberos":      append([]byte{0, 0, 0, 4}, "HTTP"...),
		"closed at once":    {},
		"cut in the middle": {0, 0, 1, 0, wire.AppASRep, 0x82},
	} {
		r.UseKDCs(t, "udp_preference_limit = 1", closingKDC(t, reply))
		_, err := c.Login(t.Context(), someone, krbtest.AlicePassword)
		if got := reasonOf(t, err); got != reason.Unreachable {
			t.Errorf("%s: %q (%v)", what, got, err)
		}
		if binary.BigEndian.Uint32(append(reply, 0, 0, 0, 0)) > maxReply && len(reply) >= 4 && !strings.Contains(err.Error(), "a reply of") {
			t.Errorf("%s: not refused before it is read: %v", what, err)
		}
	}
	for what, reply := range map[string][]byte{
		"an AS-REP of garbage":     {wire.AppASRep, 2, 5, 0},
		"a KRB-ERROR of garbage":   {wire.AppError, 2, 5, 0},
		"a TGS-REP to an AS-REQ":   {wire.AppTGSRep, 0},
		"an AS-REP without fields": {wire.AppASRep, 2, 0x30, 0},
	} {
		r.UseKDCs(t, "udp_preference_limit = 1", closingKDC(t, krbtest.Framed(reply)))
		_, err := c.Login(t.Context(), someone, krbtest.AlicePassword)
		if got := reasonOf(t, err); got != reason.KDCError {
			t.Errorf("%s: %q (%v)", what, got, err)
		}
	}
}

// closingKDC answers and hangs up.
func closingKDC(t *testing.T, reply []byte) string {
	t.Helper()
	return krbtest.Listen(t, func(c net.Conn) {
		_, _ = io.ReadAtLeast(c, make([]byte, 64*1024), 5)
		_, _ = c.Write(reply)
		_ = c.Close()
	})
}

func TestKDCDown(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	c := newClient(r)
	r.Stop()
	_, err := c.Login(t.Context(), someone, krbtest.AlicePassword)
	if got := reasonOf(t, err); got != reason.Unreachable {
		t.Errorf("%q (%v)", got, err)
	}
	must(t, r.StartKDC())
	if _, err := c.Login(t.Context(), someone, krbtest.AlicePassword); err != nil {
		t.Errorf("after the KDC came back: %v", err)
	}
}

func TestKDCOverUDPAndTCP(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	for libdefaults, want := range map[string]string{"": "udp", "udp_preference_limit = 1": "tcp"} {
		c := newClient(r)
		r.UseKDCs(t, libdefaults, r.Addr)
		_, err := c.Login(t.Context(), someone, krbtest.AlicePassword)
		if got := c.last.get(r.Name).network; err != nil || got != want {
			t.Errorf("%q: by %s, %v", libdefaults, got, err)
		}
	}
}

func TestKDCReplyTooBigForUDPGoesByTCP(t *testing.T) {
	tooBig := wire.TLV(wire.AppError, wire.TLV(wire.TagSequence, wire.TLV(wire.Context(6), wire.Int(52))))
	want := wire.TLV(wire.AppError, wire.TLV(wire.TagSequence, wire.TLV(wire.Context(6), wire.Int(6))))
	tcp := krbtest.FakeKDC(t, func([]byte) []byte {
		return krbtest.Framed(want)
	})
	addr, err := net.ResolveUDPAddr("udp", tcp)
	must(t, err)
	u, err := net.ListenUDP("udp", addr)
	must(t, err)
	defer u.Close() //nolint:errcheck // a test's
	go func() {
		_, from, err := u.ReadFromUDP(make([]byte, 2000))
		if err == nil {
			_, _ = u.WriteToUDP(tooBig, from)
		}
	}()
	reply, err := New(Config{}).send(t.Context(), endpoint{"udp", tcp}, []byte("request"))
	if d := cmp.Diff(want, reply); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestIterationsAKDCAsksForAreBounded(t *testing.T) {
	for n, ok := range map[uint32]bool{0: false, 1: false, 4095: false, 4096: true, 500_001: false, 1<<32 - 1: false} {
		info := wire.EtypeInfo{Etype: 18, Params: binary.BigEndian.AppendUint32(nil, n)}
		_, err := stringToKey("password", wire.Principal{Components: []string{"alice"}, Realm: "EXAMPLE.TEST"}, info)
		if (err == nil) != ok {
			t.Errorf("%d iterations: %v", n, err)
		}
	}
}

func TestReasonsOfActiveDirectory(t *testing.T) {
	status := func(v uint32) []byte { return append(binary.LittleEndian.AppendUint32(nil, v), 0, 0, 0, 0, 1, 0, 0, 0) }
	asPAData := func(v []byte) []byte {
		return wire.TLV(wire.TagSequence, wire.TLV(wire.TagSequence, wire.TLV(wire.Context(1), wire.Int(3)), wire.TLV(wire.Context(2), wire.TLV(wire.TagOctetString, v))))
	}
	asErrorData := func(v []byte) []byte {
		return wire.TLV(wire.TagSequence, wire.TLV(wire.Context(1), wire.Int(3)), wire.TLV(wire.Context(2), wire.TLV(wire.TagOctetString, v)))
	}
	for v, want := range map[uint32]reason.Code{
		0xC0000234: reason.Locked, 0xC0000072: reason.Disabled, 0xC0000193: reason.AccountExpired,
		0xC0000071: reason.PasswordExpired, 0xC0000224: reason.PasswordExpired, 0xC000006F: reason.Policy, 0xC0000001: reason.Locked,
	} {
		for _, data := range [][]byte{asPAData(status(v)), asErrorData(status(v)), status(v)} {
			if got := codeOf(wire.KRBError{Code: 18, Data: data}); got != want {
				t.Errorf("%#x in %x: %q, want %q", v, data, got, want)
			}
		}
	}
}

func TestKrb5Conf(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		must(t, os.MkdirAll(filepath.Dir(path), 0o700))
		must(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	write("conf.d/one.conf", "[realms]\nINCLUDED.TEST = {\n kdc = included\n}\n")
	write("conf.d/two.rpmsave", "[realms]\nINCLUDED.TEST = {\n kdc = stale\n}\n")
	path := write("krb5.conf", `# comment
includedir `+dir+`/conf.d
includedir /nowhere
[libdefaults]
  default_realm = EXAMPLE.TEST
  dns_lookup_kdc = no
  dns_lookup_kdc = yes
[realms]
  EXAMPLE.TEST = {
    kdc = kdc1.example.test
    kdc = "kdc2.example.test:8888"
    ; comment
    auth_to_local_names = {
      kdc = not-this-one
    }
    kdc = [2001:db8::1]*
    admin_server = kdc1.example.test
  }
[appdefaults]
  EXAMPLE.TEST = {
    kdc = nor-this
  }
`)
	c, err := loadKrb5Conf(path)
	must(t, err)
	want := map[string][]string{
		"EXAMPLE.TEST":  {"kdc1.example.test", "kdc2.example.test:8888", "[2001:db8::1]"},
		"INCLUDED.TEST": {"included"},
	}
	if d := cmp.Diff(want, c.kdcs); d != "" || c.dns {
		t.Errorf("dns %v %s", c.dns, d)
	}
	for in, want := range map[string]string{"kdc": "kdc:88", "kdc:1": "kdc:1", "[2001:db8::1]": "[2001:db8::1]:88", "2001:db8::1": "[2001:db8::1]:88", "10.0.0.1": "10.0.0.1:88"} {
		if got := address(in, kdcPort); got != want {
			t.Errorf("address(%q) = %q, want %q", in, got, want)
		}
	}
	if _, err := loadKrb5Conf(write("loop.conf", "include "+dir+"/loop.conf\n")); err == nil {
		t.Error("a file that includes itself: no error")
	}
	if c, err := loadKrb5Conf(dir + "/missing"); err != nil || !c.dns {
		t.Errorf("no file: %v", err)
	}
}

// reasonOf is the reason of a refusal; a test fails on any other error.
func reasonOf(t testing.TB, err error) reason.Code {
	t.Helper()
	if err == nil {
		return ""
	}
	var refused *reason.Error
	if !errors.As(err, &refused) {
		t.Fatalf("not a refusal: %v", err)
	}
	return refused.Reason
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
