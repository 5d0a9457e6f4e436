package kerberos

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
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
	"idp/internal/reason"
	"idp/internal/secret"
)

// listen serves every connection to a port of loopback until the test ends.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = c.Close() })
			go serve(c)
		}
	}()
	return l.Addr().String()
}

// fakeKDC answers every request with reply(request); nil keeps the connection
// open in silence.
func fakeKDC(t *testing.T, reply func(req []byte) []byte) string {
	t.Helper()
	return listen(t, func(c net.Conn) {
		head := make([]byte, 4)
		if _, err := io.ReadFull(c, head); err != nil {
			return
		}
		req := make([]byte, binary.BigEndian.Uint32(head))
		if _, err := io.ReadFull(c, req); err != nil {
			return
		}
		if b := reply(req); b != nil {
			_, _ = c.Write(b)
		}
	})
}

func silent([]byte) []byte { return nil }

// useKDCs rewrites a realm's krb5.conf for other KDCs.
func useKDCs(t *testing.T, r *krbtest.Realm, libdefaults string, kdcs ...string) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "[libdefaults]\ndns_lookup_kdc = false\n%s\n[realms]\n%s = {\n", libdefaults, r.Name)
	for _, k := range kdcs {
		fmt.Fprintf(&b, "kdc = %s\n", k)
	}
	b.WriteString("}\n")
	must(t, os.WriteFile(r.Krb5Conf, []byte(b.String()), 0o600))
}

var alice = Name{"alice", "EXAMPLE.TEST"}

func TestHoleKDCSpoofing(t *testing.T) {
	honest := krbtest.Start(t, krbtest.Options{})
	// The liar is a whole realm of the same name: it knows a password for alice
	// of its own making, but not the key of our service.
	liar := krbtest.Start(t, krbtest.Options{Users: map[string]string{"alice": "chosen-by-mallory"}})
	a := newAcceptor(t, honest, nil)
	a.opts.Krb5Conf = liar.Krb5Conf
	_, err := a.CheckPassword(t.Context(), alice, "chosen-by-mallory")
	if got := reasonOf(t, err); got != reason.NotGenuine {
		t.Fatalf("a lying KDC: %q (%v)", got, err)
	}
	a.opts.Krb5Conf = honest.Krb5Conf
	if _, err := a.CheckPassword(t.Context(), alice, krbtest.AlicePassword); err != nil {
		t.Errorf("the honest one: %v", err)
	}
}

// TestHoleKDCSpoofingWithStolenTicket: the liar has alice's real ticket for us,
// seen on the wire, and gives that out; only the session key betrays it.
func TestHoleKDCSpoofingWithStolenTicket(t *testing.T) {
	honest := krbtest.Start(t, krbtest.Options{Users: map[string]string{"alice": krbtest.AlicePassword, "mallory": "m"}})
	liar := krbtest.Start(t, krbtest.Options{Users: map[string]string{"alice": "chosen-by-mallory"}})
	for victim, password := range map[string]string{"alice": krbtest.AlicePassword, "mallory": "m"} {
		stolen, err := honest.Ticket(victim, password, "HTTP/localhost")
		must(t, err)
		der, err := stolen.Ticket.Marshal()
		must(t, err)
		// The man in the middle replaces the ticket in the liar's TGS reply.
		proxy := fakeKDC(t, func(req []byte) []byte {
			reply, err := transfer(context.Background(), endpoint{"tcp", liar.Addr}, req)
			if err != nil {
				return []byte{}
			}
			if reply[0] == appTGSRep {
				reply = withTicket(reply, der)
			}
			return framed(reply)
		})
		a := newAcceptor(t, honest, nil)
		a.opts.Krb5Conf = liar.Krb5Conf
		useKDCs(t, liar, "udp_preference_limit = 1", proxy)
		_, err = a.CheckPassword(t.Context(), alice, "chosen-by-mallory")
		if got := reasonOf(t, err); got != reason.NotGenuine {
			t.Errorf("with a ticket of %s: %q (%v)", victim, got, err)
		} else {
			t.Log(err)
		}
	}
}

// TestHoleKDCSpoofingByColleague: mallory has an account, a real ticket for us
// and its session key, and is on the path to the KDC; so all keys fit, and only
// the name in the ticket tells that it is not alice.
func TestHoleKDCSpoofingByColleague(t *testing.T) {
	honest := krbtest.Start(t, krbtest.Options{Users: map[string]string{"mallory": "m"}})
	own, err := honest.Ticket("mallory", "m", "HTTP/localhost")
	must(t, err)
	der, err := own.Ticket.Marshal()
	must(t, err)
	who := Principal{Components: []string{"alice"}, Realm: honest.Name, NameType: 1}
	chosen, err := stringToKey("chosen-by-mallory", who, etypeInfo{etype: 18})
	must(t, err)
	session := keyBlock{18, make([]byte, 32)}
	mallory := keyBlock{own.Key.KeyType, own.Key.KeyValue}
	evil := fakeKDC(t, func(req []byte) []byte {
		if req[0] == 0x6a { // AS-REQ
			return framed(fakeRep(t, appASRep, req, who, der, chosen, usageASRep, session))
		}
		return framed(fakeRep(t, appTGSRep, req, who, der, session, usageTGSRep, mallory))
	})
	a := newAcceptor(t, honest, nil)
	useKDCs(t, honest, "udp_preference_limit = 1", evil)
	login, err := a.CheckPassword(t.Context(), alice, "chosen-by-mallory")
	if got := reasonOf(t, err); got != reason.NotGenuine || !strings.Contains(err.Error(), "mallory@EXAMPLE.TEST") {
		t.Errorf("%q, %+v (%v)", got, login, err)
	}
}

// fakeRep is a KDC's reply to req: a ticket and a session key, sealed with key.
func fakeRep(t *testing.T, app byte, req []byte, client Principal, ticket []byte, key keyBlock, usage uint32, session keyBlock) []byte {
	var d decoder
	nonce := d.sequence(d.sequence(d.only(req, req[0]))[4])[7]
	if d.err != nil {
		t.Errorf("request %x", req)
	}
	part := tlv(contextTag(0), derKey(session))
	part = appendTLV(part, contextTag(2), nonce)
	part = appendTLV(part, contextTag(9), tlv(tagString, []byte(client.Realm)))
	part = appendTLV(part, contextTag(10), derName(client))
	sealed := sealWith(t, key, usage, tlv(appEncTGSRep, tlv(tagSequence, part)))
	b := tlv(contextTag(0), derInt(pvno))
	b = appendTLV(b, contextTag(3), tlv(tagString, []byte(client.Realm)))
	b = appendTLV(b, contextTag(4), derName(client))
	b = appendTLV(b, contextTag(5), ticket)
	b = appendTLV(b, contextTag(6), derSealed(key.etype, 0, sealed))
	return tlv(app, tlv(tagSequence, b))
}

// framed puts the length of TCP in front.
func framed(reply []byte) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(reply))), reply...)
}

// withTicket replaces the ticket in a KDC reply.
func withTicket(rep, ticket []byte) []byte {
	var d decoder
	f := d.sequence(d.only(rep, appTGSRep))
	var body []byte
	for i, field := range f {
		if i == 5 {
			field = ticket
		}
		if field != nil {
			body = appendTLV(body, contextTag(i), field)
		}
	}
	return tlv(appTGSRep, tlv(tagSequence, body))
}

func TestHoleKDCCallsHedgeAHangingKDC(t *testing.T) {
	hanging := fakeKDC(t, silent)
	r := krbtest.Start(t, krbtest.Options{KDCBefore: []string{hanging}})
	a := newAcceptor(t, r, nil)
	began := time.Now()
	_, err := a.CheckPassword(t.Context(), alice, krbtest.AlicePassword)
	if took := time.Since(began); err != nil || took < hedgeAfter || took > 3*time.Second {
		t.Errorf("first login: %s, %v", took, err)
	}
	began = time.Now()
	_, err = a.CheckPassword(t.Context(), alice, krbtest.AlicePassword)
	if took := time.Since(began); err != nil || took > hedgeAfter {
		t.Errorf("second login, which knows the KDC that answers: %s, %v", took, err)
	}
}

func TestHoleKDCCallsOneWrongPasswordIsOneGuess(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	var guesses atomic.Int32
	// Both KDCs are slower than the hedge, as when the directory is busy.
	slow := func(req []byte) []byte {
		if bytes.Contains(req, []byte{0xa1, 3, tagInteger, 1, 2}) { // PA-ENC-TIMESTAMP
			guesses.Add(1)
			<-time.After(2 * hedgeAfter)
		}
		reply, err := transfer(context.Background(), endpoint{"tcp", r.Addr}, req)
		if err != nil {
			return []byte{}
		}
		return framed(reply)
	}
	a := newAcceptor(t, r, nil)
	useKDCs(t, r, "udp_preference_limit = 1", fakeKDC(t, slow), fakeKDC(t, slow))
	_, err := a.CheckPassword(t.Context(), alice, "wrong")
	if got := reasonOf(t, err); got != reason.BadPassword || guesses.Load() != 1 {
		t.Errorf("%q after %d guesses, want 1: each counts against the account", got, guesses.Load())
	}
}

func TestHoleKDCCallsHaveDeadlines(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	a := newAcceptor(t, r, nil)
	before := runtime.NumGoroutine()
	useKDCs(t, r, "udp_preference_limit = 1", fakeKDC(t, silent), fakeKDC(t, silent))
	ctx, cancel := context.WithTimeout(t.Context(), 700*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, err := a.CheckPassword(ctx, alice, krbtest.AlicePassword)
	if got := reasonOf(t, err); got != reason.Unreachable || time.Since(began) > 2*time.Second {
		t.Errorf("%q after %s (%v)", got, time.Since(began), err)
	}
	// Our goroutines end with the call; the fakes' two each may live on.
	deadline := time.Now().Add(5 * time.Second)
	for runtime.NumGoroutine() > before+8 && time.Now().Before(deadline) {
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > before+8 {
		t.Errorf("%d goroutines, %d before", n, before)
	}
}

func TestHoleKDCRepliesAreBounded(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	a := newAcceptor(t, r, nil)
	for what, reply := range map[string][]byte{
		"2 GB announced":    {0x7f, 0xff, 0xff, 0xff},
		"a negative size":   {0xff, 0xff, 0xff, 0xff, 0},
		"empty":             {0, 0, 0, 0},
		"not Kerberos":      append([]byte{0, 0, 0, 4}, "HTTP"...),
		"closed at once":    {},
		"cut in the middle": {0, 0, 1, 0, appASRep, 0x82},
	} {
		useKDCs(t, r, "udp_preference_limit = 1", closingKDC(t, reply))
		_, err := a.CheckPassword(t.Context(), alice, krbtest.AlicePassword)
		if got := reasonOf(t, err); got != reason.Unreachable {
			t.Errorf("%s: %q (%v)", what, got, err)
		}
		if binary.BigEndian.Uint32(append(reply, 0, 0, 0, 0)) > maxReply && len(reply) >= 4 && !strings.Contains(err.Error(), "a reply of") {
			t.Errorf("%s: not refused before it is read: %v", what, err)
		}
	}
	for what, reply := range map[string][]byte{
		"an AS-REP of garbage":     {appASRep, 2, 5, 0},
		"a KRB-ERROR of garbage":   {appError, 2, 5, 0},
		"a TGS-REP to an AS-REQ":   {appTGSRep, 0},
		"an AS-REP without fields": {appASRep, 2, 0x30, 0},
	} {
		useKDCs(t, r, "udp_preference_limit = 1", closingKDC(t, framed(reply)))
		_, err := a.CheckPassword(t.Context(), alice, krbtest.AlicePassword)
		if got := reasonOf(t, err); got != reason.KDCError {
			t.Errorf("%s: %q (%v)", what, got, err)
		}
	}
}

// closingKDC answers and hangs up.
func closingKDC(t *testing.T, reply []byte) string {
	t.Helper()
	return listen(t, func(c net.Conn) {
		_, _ = io.ReadAtLeast(c, make([]byte, 64*1024), 5)
		_, _ = c.Write(reply)
		_ = c.Close()
	})
}

func TestKDCDown(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	a := newAcceptor(t, r, nil)
	r.Stop()
	_, err := a.CheckPassword(t.Context(), alice, krbtest.AlicePassword)
	if got := reasonOf(t, err); got != reason.Unreachable {
		t.Errorf("%q (%v)", got, err)
	}
	must(t, r.StartKDC())
	if _, err := a.CheckPassword(t.Context(), alice, krbtest.AlicePassword); err != nil {
		t.Errorf("after the KDC came back: %v", err)
	}
}

func TestKDCOverUDPAndTCP(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	for libdefaults, want := range map[string]string{"": "udp", "udp_preference_limit = 1": "tcp"} {
		a := newAcceptor(t, r, nil)
		useKDCs(t, r, libdefaults, r.Addr)
		_, err := a.CheckPassword(t.Context(), alice, krbtest.AlicePassword)
		if got := a.kdcs.get(r.Name).network; err != nil || got != want {
			t.Errorf("%q: by %s, %v", libdefaults, got, err)
		}
	}
}

func TestKDCReplyTooBigForUDPGoesByTCP(t *testing.T) {
	tooBig := tlv(appError, tlv(tagSequence, tlv(contextTag(6), derInt(52))))
	want := tlv(appError, tlv(tagSequence, tlv(contextTag(6), derInt(6))))
	tcp := fakeKDC(t, func([]byte) []byte {
		return framed(want)
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
	reply, err := send(t.Context(), endpoint{"udp", tcp}, []byte("request"))
	if d := cmp.Diff(want, reply); d != "" || err != nil {
		t.Error(d, err)
	}
}

func TestPasswordNeedsAKeytabToProveTheKDC(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	a := newAcceptor(t, r, func(o *Options) { o.Keytabs = []string{filepath.Join(r.Dir, "missing")} })
	_, err := a.CheckPassword(t.Context(), alice, krbtest.AlicePassword)
	if got := reasonOf(t, err); got != reason.NoKeytab {
		t.Errorf("%q (%v)", got, err)
	}
}

func TestPasswordOfATrustedForeignRealm(t *testing.T) {
	ours := krbtest.Start(t, krbtest.Options{Realm: "OURS.TEST", Users: map[string]string{"krbtgt/OURS.TEST@PARTNER.TEST": "shared"}})
	partner := krbtest.Start(t, krbtest.Options{Realm: "PARTNER.TEST", Services: []string{}, Users: map[string]string{"carol": "c", "krbtgt/OURS.TEST": "shared"}})
	conf := fmt.Sprintf("[realms]\nOURS.TEST = {\nkdc = %s\n}\nPARTNER.TEST = {\nkdc = %s\n}\n", ours.Addr, partner.Addr)
	must(t, os.WriteFile(ours.Krb5Conf, []byte(conf), 0o600))
	a := newAcceptor(t, ours, func(o *Options) { o.Realms = append(o.Realms, Realm{Name: "PARTNER.TEST"}) })
	login, err := a.CheckPassword(t.Context(), Name{"carol", "PARTNER.TEST"}, "c")
	if err != nil || login.Principal.String() != "carol@PARTNER.TEST" {
		t.Fatalf("%+v, %v", login, err)
	}
	_, err = a.CheckPassword(t.Context(), Name{"carol", "PARTNER.TEST"}, "wrong")
	if got := reasonOf(t, err); got != reason.BadPassword {
		t.Errorf("%q (%v)", got, err)
	}
}

func TestRC4OnlyAccountIsReportedByName(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	must(t, r.Kadmin("addprinc -e arcfour-hmac:normal -pw paßwort old\n"))
	a := newAcceptor(t, r, nil)
	_, err := a.CheckPassword(t.Context(), Name{"old", r.Name}, "paßwort")
	if got := reasonOf(t, err); got != reason.Etype {
		t.Errorf("%q (%v)", got, err)
	}
	rc4 := newAcceptor(t, r, func(o *Options) { o.AllowRC4 = true })
	if _, err := rc4.CheckPassword(t.Context(), Name{"old", r.Name}, "paßwort"); err != nil {
		t.Errorf("where RC4 is allowed: %v", err)
	}
}

func TestIterationsAKDCAsksForAreBounded(t *testing.T) {
	for n, ok := range map[uint32]bool{0: false, 1: false, 4095: false, 4096: true, 500_001: false, 1<<32 - 1: false} {
		info := etypeInfo{etype: 18, params: binary.BigEndian.AppendUint32(nil, n)}
		_, err := stringToKey("password", Principal{Components: []string{"alice"}, Realm: ourRealm}, info)
		if (err == nil) != ok {
			t.Errorf("%d iterations: %v", n, err)
		}
	}
}

func TestReasonsOfActiveDirectory(t *testing.T) {
	status := func(v uint32) []byte { return append(binary.LittleEndian.AppendUint32(nil, v), 0, 0, 0, 0, 1, 0, 0, 0) }
	asPAData := func(v []byte) []byte {
		return tlv(tagSequence, tlv(tagSequence, tlv(contextTag(1), derInt(3)), tlv(contextTag(2), tlv(tagOctetString, v))))
	}
	asErrorData := func(v []byte) []byte {
		return tlv(tagSequence, tlv(contextTag(1), derInt(3)), tlv(contextTag(2), tlv(tagOctetString, v)))
	}
	for v, want := range map[uint32]reason.Code{
		0xC0000234: reason.Locked, 0xC0000072: reason.Disabled, 0xC0000193: reason.AccountExpired,
		0xC0000071: reason.PasswordExpired, 0xC0000224: reason.PasswordExpired, 0xC000006F: reason.Policy, 0xC0000001: reason.Locked,
	} {
		for _, data := range [][]byte{asPAData(status(v)), asErrorData(status(v)), status(v)} {
			if got := (kdcError{code: 18, data: data}).reason(); got != want {
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
		if got := address(in); got != want {
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

func TestPasswordNeverInErrors(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	a := newAcceptor(t, r, nil)
	const pw = secret.String("hunter2-hunter2")
	_, err := a.CheckPassword(t.Context(), alice, pw)
	if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), pw.Reveal()) {
		t.Error("the error holds the password")
	}
}
