package kerberos

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/crypto"

	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
	"idp/internal/secret"
)

var alice = Name{Name: "alice", Realm: "EXAMPLE.TEST"}

func TestHoleKDCSpoofing(t *testing.T) {
	honest := krbtest.Start(t, krbtest.Options{})
	// The liar is a whole realm of the same name: it knows a password for alice
	// of its own making, but not the key of our service.
	liar := krbtest.Start(t, krbtest.Options{Users: map[string]string{"alice": "chosen-by-mallory"}})
	a := newAcceptor(t, honest, func(o *Options) { o.Krb5Conf = liar.Krb5Conf })
	_, err := a.CheckPassword(t.Context(), alice, "chosen-by-mallory")
	if got := reasonOf(t, err); got != reason.NotGenuine {
		t.Fatalf("a lying KDC: %q (%v)", got, err)
	}
	a = newAcceptor(t, honest, nil)
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
		proxy := krbtest.FakeKDC(t, func(req []byte) []byte {
			reply, err := liar.Relay(req)
			if err != nil {
				return []byte{}
			}
			if reply[0] == wire.AppTGSRep {
				reply = withTicket(reply, der)
			}
			return krbtest.Framed(reply)
		})
		a := newAcceptor(t, honest, func(o *Options) { o.Krb5Conf = liar.Krb5Conf })
		liar.UseKDCs(t, "udp_preference_limit = 1", proxy)
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
	who := wire.Principal{Components: []string{"alice"}, Realm: honest.Name, NameType: 1}
	aes, err := crypto.GetEtype(18)
	must(t, err)
	made, err := aes.StringToKey("chosen-by-mallory", honest.Name+"alice", aes.GetDefaultStringToKeyParams())
	must(t, err)
	chosen := wire.Key{Etype: 18, Value: made}
	session := wire.Key{Etype: 18, Value: make([]byte, 32)}
	mallory := wire.Key{Etype: own.Key.KeyType, Value: own.Key.KeyValue}
	evil := krbtest.FakeKDC(t, func(req []byte) []byte {
		if req[0] == 0x6a { // AS-REQ
			return krbtest.Framed(fakeRep(t, wire.AppASRep, req, who, der, chosen, wire.UsageASRep, session))
		}
		return krbtest.Framed(fakeRep(t, wire.AppTGSRep, req, who, der, session, wire.UsageTGSRep, mallory))
	})
	a := newAcceptor(t, honest, nil)
	honest.UseKDCs(t, "udp_preference_limit = 1", evil)
	login, err := a.CheckPassword(t.Context(), alice, "chosen-by-mallory")
	if got := reasonOf(t, err); got != reason.NotGenuine || !strings.Contains(err.Error(), "mallory@EXAMPLE.TEST") {
		t.Errorf("%q, %+v (%v)", got, login, err)
	}
}

// fakeRep is a KDC's reply to req: a ticket and a session key, sealed with key.
func fakeRep(t *testing.T, app byte, req []byte, client wire.Principal, ticket []byte, key wire.Key, usage uint32, session wire.Key) []byte {
	var d wire.Decoder
	nonce := d.Sequence(d.Sequence(d.Only(req, req[0]))[4])[7]
	if d.Err != nil {
		t.Errorf("request %x", req)
	}
	part := wire.TLV(wire.Context(0), derKey(session))
	part = wire.AppendTLV(part, wire.Context(2), nonce)
	part = wire.AppendTLV(part, wire.Context(9), wire.TLV(wire.TagString, []byte(client.Realm)))
	part = wire.AppendTLV(part, wire.Context(10), derName(client))
	sealed := sealWith(t, key, usage, wire.TLV(wire.AppEncTGSRep, wire.TLV(wire.TagSequence, part)))
	b := wire.TLV(wire.Context(0), wire.Int(5))
	b = wire.AppendTLV(b, wire.Context(3), wire.TLV(wire.TagString, []byte(client.Realm)))
	b = wire.AppendTLV(b, wire.Context(4), derName(client))
	b = wire.AppendTLV(b, wire.Context(5), ticket)
	b = wire.AppendTLV(b, wire.Context(6), derSealed(key.Etype, 0, sealed))
	return wire.TLV(app, wire.TLV(wire.TagSequence, b))
}

// withTicket replaces the ticket in a KDC reply.
func withTicket(rep, ticket []byte) []byte {
	var d wire.Decoder
	f := d.Sequence(d.Only(rep, wire.AppTGSRep))
	var body []byte
	for i, field := range f {
		if i == 5 {
			field = ticket
		}
		if field != nil {
			body = wire.AppendTLV(body, wire.Context(i), field)
		}
	}
	return wire.TLV(wire.AppTGSRep, wire.TLV(wire.TagSequence, body))
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
	login, err := a.CheckPassword(t.Context(), Name{Name: "carol", Realm: "PARTNER.TEST"}, "c")
	if err != nil || login.Principal.String() != "carol@PARTNER.TEST" {
		t.Fatalf("%+v, %v", login, err)
	}
	_, err = a.CheckPassword(t.Context(), Name{Name: "carol", Realm: "PARTNER.TEST"}, "wrong")
	if got := reasonOf(t, err); got != reason.BadPassword {
		t.Errorf("%q (%v)", got, err)
	}
}

// Where the keytab has keys of two realms that trust each other, each KDC is
// proved by its own, though the other realm's would open a ticket, too.
func TestPasswordIsProvedByTheRealmsOwnKey(t *testing.T) {
	ours := krbtest.Start(t, krbtest.Options{Realm: "OURS.TEST"})
	partner := krbtest.Start(t, krbtest.Options{Realm: "PARTNER.TEST", Users: map[string]string{"carol": "c"}})
	must(t, ours.Trust(partner))
	a := newAcceptor(t, ours, func(o *Options) {
		o.Keytabs = append(o.Keytabs, partner.Keytab)
		o.Realms = append(o.Realms, Realm{Name: partner.Name})
	})
	for _, c := range []struct {
		name     Name
		password secret.String
	}{{Name{Name: "alice", Realm: ours.Name}, krbtest.AlicePassword}, {Name{Name: "carol", Realm: partner.Name}, "c"}} {
		login, err := a.CheckPassword(t.Context(), c.name, c.password)
		if err != nil || login.Principal.String() != c.name.Name+"@"+c.name.Realm {
			t.Fatalf("%s: %+v, %v", c.name.Name, login, err)
		}
	}
	must(t, partner.Kadmin("delprinc -force HTTP/idp.localhost\ndelprinc -force HTTP/localhost\n"))
	_, err := a.CheckPassword(t.Context(), Name{Name: "carol", Realm: partner.Name}, "c")
	if got := reasonOf(t, err); got != reason.WrongSPN || !strings.Contains(err.Error(), partner.Name) {
		t.Errorf("the partner's KDC knows our services no more: %q (%v)", got, err)
	}
}

func TestRC4OnlyAccountIsReportedByName(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	must(t, r.Kadmin("addprinc -e arcfour-hmac:normal -pw paßwort old\n"))
	a := newAcceptor(t, r, nil)
	_, err := a.CheckPassword(t.Context(), Name{Name: "old", Realm: r.Name}, "paßwort")
	if got := reasonOf(t, err); got != reason.Etype {
		t.Errorf("%q (%v)", got, err)
	}
	rc4 := newAcceptor(t, r, func(o *Options) { o.AllowRC4 = true })
	if _, err := rc4.CheckPassword(t.Context(), Name{Name: "old", Realm: r.Name}, "paßwort"); err != nil {
		t.Errorf("where RC4 is allowed: %v", err)
	}
}

func TestPasswordNeverInErrors(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	a := newAcceptor(t, r, nil)
	const pw = secret.String("hunter2-hunter2")
	_, err := a.CheckPassword(t.Context(), alice, pw)
	if reasonOf(t, err) != reason.BadPassword || strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), pw.Reveal()) {
		t.Errorf("want a refusal without the password: %v", err)
	}
}
