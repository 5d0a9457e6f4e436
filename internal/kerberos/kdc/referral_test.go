package kdc

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Real KDCs refer in cmd/idp's tests. These say what no honest one does.

var (
	session = wire.Key{Etype: 18, Value: make([]byte, 32)}
	web     = wire.Principal{Components: []string{"HTTP", "web.example.com"}, Realm: "R0", NameType: 2}
)

func tgtOf(realm string) wire.Principal {
	return wire.Principal{Components: []string{"krbtgt", realm}, NameType: 2}
}

func ticketDER(t *testing.T, p wire.Principal) []byte {
	t.Helper()
	ticket := messages.Ticket{TktVNO: 5, Realm: "R", SName: libraryName(p), EncPart: types.EncryptedData{EType: 18, Cipher: []byte("sealed")}}
	b, err := ticket.Marshal()
	must(t, err)
	return b
}

func generalStrings(p wire.Principal) []byte {
	var names [][]byte
	for _, c := range p.Components {
		names = append(names, wire.TLV(wire.TagString, []byte(c)))
	}
	return wire.TLV(wire.TagSequence, wire.TLV(wire.Context(0), wire.Int(int64(p.NameType))), wire.TLV(wire.Context(1), wire.TLV(wire.TagSequence, names...)))
}

// granting is a TGS-REP for server under the session key that all have here.
func granting(t *testing.T, server wire.Principal, nonce int) []byte {
	t.Helper()
	octets := func(b []byte) []byte { return wire.TLV(wire.TagOctetString, b) }
	key := wire.TLV(wire.TagSequence, wire.TLV(wire.Context(0), wire.Int(18)), wire.TLV(wire.Context(1), octets(session.Value)))
	part := wire.TLV(wire.AppEncTGSRep, wire.TLV(wire.TagSequence, wire.TLV(wire.Context(0), key), wire.TLV(wire.Context(2), wire.Int(int64(nonce))),
		wire.TLV(wire.Context(9), wire.TLV(wire.TagString, []byte(server.Realm))), wire.TLV(wire.Context(10), generalStrings(server))))
	k, err := wire.NewSealKey(session, wire.UsageTGSRep)
	must(t, err)
	sealed, err := k.Seal(part)
	must(t, err)
	return wire.TLV(wire.AppTGSRep, wire.TLV(wire.TagSequence, wire.TLV(wire.Context(0), wire.Int(5)), wire.TLV(wire.Context(1), wire.Int(13)),
		wire.TLV(wire.Context(3), wire.TLV(wire.TagString, []byte("R0"))), wire.TLV(wire.Context(4), generalStrings(someone)),
		wire.TLV(wire.Context(5), ticketDER(t, server)), wire.TLV(wire.Context(6), wire.EncryptedData(18, sealed))))
}

// referredBy asks KDCs that answer as says, which is told the realm that is asked.
func referredBy(t *testing.T, says func(realm string) wire.Principal) (*ServiceTicket, []string, error) {
	t.Helper()
	var asked []string
	addr := krbtest.FakeKDC(t, func(req []byte) []byte {
		var q messages.TGSReq
		must(t, q.Unmarshal(req))
		asked = append(asked, q.ReqBody.Realm)
		return krbtest.Framed(granting(t, says(q.ReqBody.Realm), q.ReqBody.Nonce))
	})
	var conf strings.Builder
	conf.WriteString("[libdefaults]\ndns_lookup_kdc = false\nudp_preference_limit = 1\n[realms]\n")
	for i := range 20 {
		fmt.Fprintf(&conf, "R%d = {\nkdc = %s\n}\n", i, addr)
	}
	path := filepath.Join(t.TempDir(), "krb5.conf")
	must(t, os.WriteFile(path, []byte(conf.String()), 0o600))
	c := New(Config{Krb5Conf: path, EtypeAllowed: wire.IsAES})
	creds, err := c.Held(someone, "R0", ticketDER(t, tgtOf("R0")), session)
	must(t, err)
	got, err := c.Referred(t.Context(), creds, web)
	if creds.realm != "R0" {
		t.Errorf("the ticket-granting ticket is now of %s", creds.realm)
	}
	return got, asked, err
}

func of(p wire.Principal, realm string) wire.Principal { p.Realm = realm; return p }

// TestHoleReferrals: what KDCs answer leads along realms, once each, to the service that
// was asked for, and nowhere else.
func TestHoleReferrals(t *testing.T) {
	next := func(realm string, step int) string {
		n := 0
		_, _ = fmt.Sscanf(realm, "R%d", &n)
		return fmt.Sprintf("R%d", n+step)
	}
	got, asked, err := referredBy(t, func(realm string) wire.Principal {
		if realm == "R2" {
			return of(web, realm)
		}
		return of(tgtOf(next(realm, 1)), realm)
	})
	if err != nil || !got.server.Equal(of(web, "R2")) || fmt.Sprint(asked) != "[R0 R1 R2]" {
		t.Fatalf("two referrals: %v %v %v", got, asked, err)
	}
	for name, c := range map[string]struct {
		says  func(realm string) wire.Principal
		code  reason.Code
		text  string
		asked int
	}{
		"without end": {func(realm string) wire.Principal { return of(tgtOf(next(realm, 1)), realm) }, reason.KDCError, "more than 8 realms", 8},
		"to itself":   {func(realm string) wire.Principal { return of(tgtOf(realm), realm) }, reason.KDCError, "circle", 1},
		"in a circle": {func(realm string) wire.Principal {
			if realm == "R1" {
				return of(tgtOf("R0"), realm)
			}
			return of(tgtOf("R1"), realm)
		}, reason.KDCError, "circle: R0, R1, R0", 2},
		"another host": {func(realm string) wire.Principal {
			return wire.Principal{Components: []string{"HTTP", "other.example.com"}, Realm: realm}
		}, reason.NotGenuine, "asked for HTTP/web.example.com@R0", 1},
		"another service": {func(realm string) wire.Principal {
			return wire.Principal{Components: []string{"host", "web.example.com"}, Realm: realm}
		}, reason.NotGenuine, "", 1},
		"the service, elsewhere":      {func(string) wire.Principal { return of(web, "R5") }, reason.NotGenuine, "", 1},
		"in the name of another KDC":  {func(string) wire.Principal { return of(tgtOf("R6"), "R5") }, reason.NotGenuine, "", 1},
		"to a realm with no KDC here": {func(realm string) wire.Principal { return of(tgtOf("ELSEWHERE"), realm) }, reason.Unreachable, "ELSEWHERE", 1},
	} {
		_, asked, err := referredBy(t, c.says)
		if reasonOf(t, err) != c.code || !strings.Contains(err.Error(), c.text) || len(asked) != c.asked {
			t.Errorf("%s: asked %v, %v", name, asked, err)
		}
	}
}
