package kerberos

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jcmturner/gokrb5/v8/crypto"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/test/testdata"
	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/spnego"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// One test for each hole that acceptors built on the library have, and for each
// way a token can be wrong.

func TestForgedTicketOfEveryEtypeIsAccepted(t *testing.T) {
	a := forgeAcceptor(t, func(o *Options) { o.AllowRC4 = true })
	for _, etype := range allEtypes {
		f := forge(a, etype)
		login, err := a.Accept(t.Context(), f.token(t))
		if err != nil {
			t.Errorf("%s: %v", wire.EtypeName(etype), err)
			continue
		}
		want := &Login{Principal: f.client, AuthTime: f.authTime.UTC(), EndTime: f.end.UTC(), Mechanism: MechanismSPNEGO, Service: login.Service}
		login.Reply = nil
		if got := login.Service.String(); got != "HTTP/idp.localhost@EXAMPLE.TEST" {
			t.Errorf("%s: opened by the key of %s", wire.EtypeName(etype), got)
		}
		if d := cmp.Diff(want, login); d != "" {
			t.Errorf("%s: %s", wire.EtypeName(etype), d)
		}
	}
}

// expect accepts a forged ticket and compares the reason.
func expect(t *testing.T, a *Acceptor, what string, token []byte, want reason.Code) {
	t.Helper()
	_, err := a.Accept(t.Context(), token)
	if got := reasonOf(t, err); got != want {
		t.Errorf("%s: %q, want %q (%v)", what, got, want, err)
	}
}

func TestHoleRealmSpoofing(t *testing.T) {
	a := forgeAcceptor(t, func(o *Options) { o.Realms = append(o.Realms, Realm{Name: "OTHER.TEST"}) })
	for what, change := range map[string]func(*forged){
		"alice@OTHER writes our realm into the authenticator": func(f *forged) { f.client.Realm = "OTHER.TEST" },
		"alice writes bob into the authenticator":             func(f *forged) { f.authClient.Components = []string{"bob"} },
		"one name is a prefix of the other":                   func(f *forged) { f.client.Components = []string{"alice", "admin"} },
		"components joined differently":                       func(f *forged) { f.client.Components, f.authClient.Components = []string{"a/b"}, []string{"a", "b"} },
	} {
		f := forge(a, 18)
		change(f)
		expect(t, a, what, f.token(t), reason.NameMismatch)
	}
	f := forge(a, 18)
	f.client.Realm, f.authClient.Realm = "OTHER.TEST", "OTHER.TEST"
	login, err := a.Accept(t.Context(), f.token(t))
	must(t, err)
	if got := login.Principal.String(); got != "alice@OTHER.TEST" {
		t.Errorf("alice of the other realm became %s", got)
	}
}

func TestHoleMITTicketWithoutLogonInfo(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	a := newAcceptor(t, r, nil)
	tkt, err := r.Ticket("alice", krbtest.AlicePassword, ourSPN)
	must(t, err)
	token, err := tkt.Token()
	must(t, err)
	login, err := a.Accept(t.Context(), token)
	must(t, err)
	if login.PAC != nil {
		t.Errorf("PAC = %+v", login.PAC)
	}
	// The test is worth something only if MIT wrote a PAC at all.
	o, err := spnego.ParseOffer(token)
	must(t, err)
	req, err := wire.ParseAPReq(o.APReq)
	must(t, err)
	op, err := a.openTicket(&req.Ticket)
	must(t, err)
	pac, err := wire.FindPAC(op.part.AuthData)
	if err != nil || pac == nil {
		t.Fatalf("this KDC writes no PAC (%v)", err)
	}
}

func TestHoleNoAPRep(t *testing.T) {
	a := forgeAcceptor(t, nil)
	for _, etype := range []int32{17, 18, 19, 20} {
		f := forge(a, etype)
		login, err := a.Accept(t.Context(), f.token(t))
		must(t, err)
		var d wire.Decoder
		resp := d.Sequence(d.Only(login.Reply, tagNegResp))
		state, mech := d.Only(resp[0], wire.TagEnumerated), d.Only(resp[1], wire.TagOID)
		token := d.Only(d.Octets(resp[2]), tagGSS)
		if d.Err != nil || !bytes.Equal(state, []byte{krbtest.NegCompleted}) || string(wire.TLV(wire.TagOID, mech)) != krbtest.MechKRB5 || resp[3] != nil {
			t.Fatalf("reply = %x", login.Reply)
		}
		// The library reads what we wrote.
		var rep messages.APRep
		must(t, rep.Unmarshal(token[len(krbtest.MechKRB5)+2:]))
		plain, err := crypto.DecryptEncPart(rep.EncPart, types.EncryptionKey{KeyType: etype, KeyValue: f.session.Value}, wire.UsageAPRep)
		must(t, err)
		var part messages.EncAPRepPart
		must(t, part.Unmarshal(plain))
		if !part.CTime.Equal(f.ctime) || part.SequenceNumber != 4711 || part.Subkey.KeyType != 0 {
			t.Errorf("%s: AP-REP = %+v", wire.EtypeName(etype), part)
		}
	}
}

// gssClient is an independent initiator: MIT's library, which verifies the AP-REP.
const gssClient = `
import sys, kerberos
_, c = kerberos.authGSSClientInit(sys.argv[1], gssflags=kerberos.GSS_C_MUTUAL_FLAG, mech_oid=getattr(kerberos, sys.argv[2]))
kerberos.authGSSClientStep(c, "")
print(kerberos.authGSSClientResponse(c), flush=True)
print(kerberos.authGSSClientStep(c, sys.stdin.readline().strip()), flush=True)
`

func TestHoleNoAPRepMutualAuthenticationOfMITClient(t *testing.T) {
	r := krbtest.Start(t, krbtest.Options{})
	a := newAcceptor(t, r, nil)
	ccache, err := r.Kinit("alice", krbtest.AlicePassword)
	must(t, err)
	for mech, want := range map[string]Mechanism{"GSS_MECH_OID_SPNEGO": MechanismSPNEGO, "GSS_MECH_OID_KRB5": MechanismKerberos} {
		cmd := exec.CommandContext(t.Context(), "/usr/bin/python3", "-c", gssClient, "HTTP@idp.localhost", mech)
		cmd.Env = append(r.Env(), "KRB5CCNAME="+ccache)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		in, err := cmd.StdinPipe()
		must(t, err)
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		lines.Scan()
		token, err := base64.StdEncoding.DecodeString(lines.Text())
		must(t, err)
		login, err := a.Accept(t.Context(), token)
		if err != nil || login.Mechanism != want || login.Principal.String() != "alice@EXAMPLE.TEST" {
			t.Fatalf("%s: %+v, %v\n%s", mech, login, err, stderr.String())
		}
		_, err = io.WriteString(in, base64.StdEncoding.EncodeToString(login.Reply)+"\n")
		must(t, err)
		lines.Scan()
		if lines.Text() != "1" { // AUTH_GSS_COMPLETE
			t.Errorf("%s: client says %q\n%s", mech, lines.Text(), stderr.String())
		}
		_ = cmd.Wait()
	}
}

func TestHoleReplay(t *testing.T) {
	a := forgeAcceptor(t, nil)
	f := forge(a, 18)
	f.authCipher = sealWith(t, f.session, wire.UsageAuthenticator, f.authenticator())
	expect(t, a, "first use", f.token(t), "")
	expect(t, a, "second use", f.token(t), reason.Replay)
	expect(t, a, "without SPNEGO", krbtest.Frame(f.apReq(t)), reason.Replay)
	expect(t, a, "a new authenticator for the same ticket", forge(a, 18).token(t), "")
}

// What is not protected can be changed by a thief, who makes no new token by it.
func TestHoleReplayBehindAnotherServiceName(t *testing.T) {
	a := forgeAcceptor(t, nil)
	f := forge(a, 18)
	f.authCipher = sealWith(t, f.session, wire.UsageAuthenticator, f.authenticator())
	expect(t, a, "first use", f.token(t), "")
	for range 5 {
		f.sname.Components = []string{"HTTP", "localhost"}
		expect(t, a, "another service name", f.token(t), reason.Replay)
		f.sname.Components[1], f.kvno, f.srealm = "idp.localhost", 9, "X.TEST"
		expect(t, a, "another kvno and realm", f.token(t), reason.Replay)
	}
}

func TestHoleReplayOnAnotherNode(t *testing.T) {
	var m replays // the database of both
	one, other := forgeAcceptor(t, func(o *Options) { o.Seen = m.Seen }), forgeAcceptor(t, func(o *Options) { o.Seen = m.Seen })
	token := forge(one, 18).token(t)
	expect(t, one, "first use", token, "")
	expect(t, other, "on the other node", token, reason.Replay)
}

// A token is kept for as long as it could look fresh, by the clock of a client
// that is ahead of ours.
func TestHoleReplayKeptForTwiceTheSkew(t *testing.T) {
	var m replays
	now := time.Now()
	a := forgeAcceptor(t, func(o *Options) {
		o.Seen = m.Seen
		o.Now = func() time.Time { return now }
	})
	f := forge(a, 18)
	f.ctime = f.ctime.Add(maxSkew - time.Second)
	token := f.token(t)
	expect(t, a, "of a clock that is ahead", token, "")
	for _, until := range m.seen {
		if d := until.Sub(now); d != 2*maxSkew {
			t.Errorf("kept for %s, want twice the skew", d)
		}
	}
	now = now.Add(2*maxSkew - 2*time.Second)
	expect(t, a, "while it is kept", token, reason.Replay)
	now = now.Add(2 * time.Second)
	expect(t, a, "when it may be forgotten", token, reason.ClockSkew)
}

// Equal names of two realms are two people, at the same microsecond, too.
func TestHoleReplayNamesWithoutRealm(t *testing.T) {
	a := forgeAcceptor(t, func(o *Options) { o.Realms = append(o.Realms, Realm{Name: "OTHER.TEST"}) })
	f := forge(a, 18)
	expect(t, a, "alice", f.token(t), "")
	f.client.Realm, f.authClient.Realm, f.ticketCipher = "OTHER.TEST", "OTHER.TEST", nil
	expect(t, a, "alice of the other realm", f.token(t), "")
}

func TestHoleReplayRace64(t *testing.T) {
	a := forgeAcceptor(t, nil)
	token := forge(a, 18).token(t)
	var won, replayed atomic.Int32
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			_, err := a.Accept(t.Context(), token)
			var e *reason.Error
			switch {
			case err == nil:
				won.Add(1)
			case errors.As(err, &e) && e.Reason == reason.Replay:
				replayed.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || replayed.Load() != 63 {
		t.Errorf("%d accepted, %d replays", won.Load(), replayed.Load())
	}
}

func TestHoleRefusedTokensLeaveNoReplayRow(t *testing.T) {
	var m replays
	a := forgeAcceptor(t, func(o *Options) { o.Seen = m.Seen })
	f := forge(a, 18)
	f.end = f.ctime.Add(-time.Hour)
	expect(t, a, "expired", f.token(t), reason.Expired)
	expect(t, a, "random", []byte("random"), reason.Malformed)
	if len(m.seen) != 0 {
		t.Errorf("%d rows", len(m.seen))
	}
}

func TestHolePanicsForAnyoneEmptyMechTypes(t *testing.T) {
	a := forgeAcceptor(t, nil)
	expect(t, a, "empty mechTypes", krbtest.SPNEGO(krbtest.Frame(forge(a, 18).apReq(t)), ""), reason.Malformed)
	expect(t, a, "no mechToken", krbtest.SPNEGO(nil), reason.Malformed)
}

func TestHolePanicsForAnyoneShortCiphers(t *testing.T) {
	a := forgeAcceptor(t, func(o *Options) { o.AllowRC4 = true })
	for _, etype := range allEtypes {
		for n := range 60 {
			f := forge(a, etype)
			f.ticketCipher = make([]byte, n)
			expect(t, a, "short ticket", f.token(t), reason.WrongKey)
			f = forge(a, etype)
			f.authCipher = make([]byte, n)
			expect(t, a, "short authenticator", f.token(t), reason.Authenticator)
		}
	}
}

func TestHolePanicsWithTicketEmptyAuthorizationData(t *testing.T) {
	a := forgeAcceptor(t, nil)
	empty := wire.TLV(wire.TagSequence)
	deep := empty
	for range 10 {
		deep = wire.TLV(wire.TagSequence, adElement(wire.ADIfRelevant, deep))
	}
	var many []byte
	for range 100 {
		many = append(many, adElement(wire.ADIfRelevant, empty)...)
	}
	for _, c := range []struct {
		what string
		data []byte
		want reason.Code
	}{
		{"no elements", empty, ""},
		{"AD-IF-RELEVANT without elements", wire.TLV(wire.TagSequence, adElement(wire.ADIfRelevant, empty)), ""},
		{"unknown inside AD-IF-RELEVANT", wire.TLV(wire.TagSequence, adElement(wire.ADIfRelevant, wire.TLV(wire.TagSequence, adElement(4711, nil)))), ""},
		{"AD-IF-RELEVANT without content", wire.TLV(wire.TagSequence, adElement(wire.ADIfRelevant, nil)), reason.Authorization},
		{"unknown and critical", wire.TLV(wire.TagSequence, adElement(4711, nil)), reason.Authorization},
		{"nested ten deep", deep, reason.Authorization},
		{"a hundred elements", wire.TLV(wire.TagSequence, many), reason.Authorization},
		{"not a sequence", []byte{4, 0}, reason.Authorization},
		{"an empty PAC", withPAC(nil), reason.PAC},
		{"two PACs", wire.TLV(wire.TagSequence, adElement(wire.ADIfRelevant, wire.TLV(wire.TagSequence, adElement(wire.ADPAC, nil), adElement(wire.ADPAC, nil)))), reason.PAC},
	} {
		f := forge(a, 18)
		f.authData = c.data
		// An empty PAC counts as one.
		expect(t, a, c.what, f.token(t), c.want)
	}
}

func TestHolePACParsedBeforeItsSignature(t *testing.T) {
	a := forgeAcceptor(t, func(o *Options) { o.AllowRC4 = true })
	info, err := hex.DecodeString(testdata.MarshaledPAC_Kerb_Validation_Info)
	must(t, err)
	logon := pacBuffer{kindLogonInfo, info}
	for _, etype := range allEtypes {
		f := account(a, etype)
		pac := f.signedPAC(t, clientInfo("testuser1", f.authTime), logon)
		f.authData = withPAC(pac)
		login, err := a.Accept(t.Context(), f.token(t))
		if err != nil || login.PAC == nil || login.PAC.Account != "testuser1" {
			t.Fatalf("%s: a signed PAC: %+v, %v", wire.EtypeName(etype), login, err)
		}
		for i := range pac {
			if broken := pac[i] ^ 1; true {
				p := append([]byte(nil), pac...)
				p[i] = broken
				g := account(a, etype)
				g.authData = withPAC(p)
				if _, err := a.Accept(t.Context(), g.token(t)); err == nil && !insideKDCSum(p, i) {
					t.Fatalf("%s: accepted with byte %d changed", wire.EtypeName(etype), i)
				}
			}
			if etype != 18 && i > 400 {
				break // one etype byte by byte to the end is enough
			}
		}
	}
	f := forge(a, 18)
	other := forge(a, 17)
	evil := pacBuffer{kindLogonInfo, bytes.Repeat([]byte{0xff}, 64)}
	for what, c := range map[string]struct {
		pac  []byte
		want reason.Code
	}{
		"unsigned":                         {makePAC(clientInfo("alice", f.authTime), logon), reason.PACSignature},
		"unsigned and unreadable":          {makePAC(clientInfo("alice", f.authTime), evil), reason.PACSignature},
		"signed with another key":          {other.signedPAC(t, clientInfo("alice", f.authTime), logon), reason.PACSignature},
		"signed as another type":           {pacOfOtherType(t, f), reason.PACSignature},
		"signed and unreadable":            {f.signedPAC(t, clientInfo("alice", f.authTime), evil), reason.PAC},
		"no client information":            {f.signedPAC(t, logon), reason.PAC},
		"about somebody else":              {f.signedPAC(t, clientInfo("bob", f.authTime), logon), reason.PAC},
		"of another login":                 {f.signedPAC(t, clientInfo("alice", f.authTime.Add(time.Second)), logon), reason.PAC},
		"a buffer twice":                   {f.signedPAC(t, clientInfo("alice", f.authTime), logon, logon), reason.PAC},
		"4 billion buffers":                {append(bytes.Repeat([]byte{0xff}, 4), make([]byte, 100)...), reason.PAC},
		"no buffers":                       {make([]byte, 8), reason.PAC},
		"a buffer beyond the end":          {pacWithOffset(t, f, 1<<63), reason.PAC},
		"a buffer on top of the directory": {pacWithOffset(t, f, 0), reason.PAC},
	} {
		g := forge(a, 18)
		g.authTime = f.authTime
		g.authData = withPAC(c.pac)
		expect(t, a, what, g.token(t), c.want)
	}
}

// account is the account of the recorded logon information.
func account(a *Acceptor, etype int32) *forged {
	f := forge(a, etype)
	f.client.Components = []string{"testuser1"}
	f.authClient = f.client
	return f
}

// Whoever may write the userPrincipalName of any account in Active Directory
// sets it to "ceo" and asks for a ticket by that name: ticket and client
// information then say "ceo", the logon information says whose account it is.
func TestATicketByABorrowedPrincipalNameIsRefused(t *testing.T) {
	a := forgeAcceptor(t, nil)
	f := forge(a, 18)
	f.client.Components = []string{"ceo"}
	f.authClient = f.client
	info, err := hex.DecodeString(testdata.MarshaledPAC_Kerb_Validation_Info)
	must(t, err)
	f.authData = withPAC(f.signedPAC(t, clientInfo("ceo", f.authTime), pacBuffer{kindLogonInfo, info}))
	expect(t, a, "borrowed name", f.token(t), reason.NameMismatch)
}

// insideKDCSum reports whether byte i is in the KDC's signature, which only the
// KDC can check, and which the server's signature does not cover.
func insideKDCSum(pac []byte, i int) bool {
	e := pac[8+16:] // the second buffer
	offset, size := int(binary.LittleEndian.Uint64(e[8:])), int(binary.LittleEndian.Uint32(e[4:]))
	return i >= offset+4 && i < offset+size
}

// pacOfOtherType has a signature that fits, under the name of another type.
func pacOfOtherType(t *testing.T, f *forged) []byte {
	b := f.signedPAC(t, clientInfo("alice", f.authTime))
	server := b[binary.LittleEndian.Uint64(b[8+8:]):] // the first buffer
	binary.LittleEndian.PutUint32(server, 15)         // HMAC-SHA1-96-AES128, as long as AES256's
	sum := server[4:][:12]
	clear(sum)
	_, want, err := wire.Checksum(f.key, wire.UsagePAC, b)
	must(t, err)
	copy(sum, want)
	return b
}

func pacWithOffset(t *testing.T, f *forged, offset uint64) []byte {
	p := f.signedPAC(t, clientInfo("alice", f.authTime))
	binary.LittleEndian.PutUint64(p[8+8:], offset)
	return p
}

func TestHoleNTLMAndNEGOEX(t *testing.T) {
	a := forgeAcceptor(t, nil)
	inner := krbtest.Frame(forge(a, 18).apReq(t))
	for _, c := range []struct {
		what  string
		token []byte
		want  reason.Code
	}{
		{"bare NTLM", []byte("NTLMSSP\x00\x01\x00\x00\x00"), reason.NTLM},
		{"NTLM in SPNEGO", krbtest.SPNEGO([]byte("NTLMSSP\x00"), krbtest.MechNTLM), reason.NTLM},
		{"NEGOEX, NTLM", krbtest.SPNEGO(nil, krbtest.MechNEGOEX, krbtest.MechNTLM), reason.NTLM},
		{"NEGOEX only", krbtest.SPNEGO([]byte("NEGOEXTS"), krbtest.MechNEGOEX), reason.NegoexOnly},
		{"IAKERB only", krbtest.SPNEGO([]byte("x"), krbtest.MechIAKERB), reason.NegoexOnly},
		{"NTLM before Kerberos", krbtest.SPNEGO(inner, krbtest.MechNTLM, krbtest.MechKRB5), reason.NotFirst},
		{"NEGOEX before Kerberos", krbtest.SPNEGO(inner, krbtest.MechNEGOEX, krbtest.MechMSKRB5), reason.NotFirst},
		{"unknown mechanism", krbtest.SPNEGO(inner, "\x06\x02\x2a\x03"), reason.Malformed},
		{"100 mechanisms", krbtest.SPNEGO(inner, strings.Repeat(krbtest.MechKRB5, 100)), reason.Malformed},
		{"MS-KRB5, KRB5, NEGOEX, NTLM, as Windows offers", krbtest.SPNEGO(inner, krbtest.MechMSKRB5, krbtest.MechKRB5, krbtest.MechNEGOEX, krbtest.MechNTLM), ""},
	} {
		login, err := a.Accept(t.Context(), c.token)
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q, want %q (%v)", c.what, got, c.want, err)
		}
		if err == nil && !bytes.Contains(login.Reply, []byte(krbtest.MechMSKRB5)) {
			t.Errorf("%s: the reply names another mechanism than the client's first", c.what)
		}
	}
}

func TestHoleNegTokenRespWithoutFirstLeg(t *testing.T) {
	a := forgeAcceptor(t, nil)
	inner := krbtest.Frame(forge(a, 18).apReq(t))
	expect(t, a, "accept-completed", krbtest.NegTokenResp(krbtest.NegCompleted, krbtest.MechKRB5, nil, nil), reason.Malformed)
	expect(t, a, "with a valid token in it", krbtest.NegTokenResp(krbtest.NegCompleted, krbtest.MechKRB5, inner, nil), reason.Malformed)
}

func TestHoleEnctypes(t *testing.T) {
	a := forgeAcceptor(t, nil)
	expect(t, a, "RC4 ticket", forge(a, 23).token(t), reason.Etype)
	f := forge(a, 18)
	f.session = wire.Key{Etype: 23, Value: make([]byte, 16)}
	expect(t, a, "RC4 session key in an AES ticket", f.token(t), reason.Etype)
	for _, etype := range []int32{1, 2, 3, 16, 24, 25, 26, 99, -1} {
		f := forge(a, 18)
		f.ticketEtype, f.ticketCipher = etype, make([]byte, 100)
		expect(t, a, wire.EtypeName(etype), f.token(t), reason.Etype)
	}
	rc4 := forgeAcceptor(t, func(o *Options) { o.AllowRC4 = true })
	expect(t, rc4, "RC4 where it is allowed", forge(rc4, 23).token(t), "")
	f = forge(rc4, 18)
	f.ticketEtype, f.ticketCipher = 16, make([]byte, 100)
	expect(t, rc4, "3DES where RC4 is allowed", f.token(t), reason.Etype)
}

func TestHoleKeytabNeedsNoExactEntry(t *testing.T) {
	a := forgeAcceptor(t, nil)
	for what, change := range map[string]func(*forged){
		"an alias":               func(f *forged) { f.sname.Components[1] = "sso" },
		"another realm":          func(f *forged) { f.srealm = "ALIAS.TEST" },
		"another kvno":           func(f *forged) { f.kvno = 77 },
		"no kvno":                func(f *forged) { f.kvno = 0 },
		"http in lower case":     func(f *forged) { f.sname.Components[0] = "http" },
		"a name of 3 components": func(f *forged) { f.sname.Components = []string{"HTTP", "sso", "x"} },
	} {
		f := forge(a, 18)
		change(f)
		expect(t, a, what, f.token(t), "")
	}
	for what, c := range map[string]struct {
		change func(*forged)
		want   reason.Code
	}{
		"another service":       {func(f *forged) { f.sname.Components[0] = "ldap" }, reason.WrongSPN},
		"host only":             {func(f *forged) { f.sname.Components = []string{"HTTP"} }, reason.WrongSPN},
		"a key we do not have":  {func(f *forged) { f.key.Value = make([]byte, 32) }, reason.WrongKey},
		"an older key":          {func(f *forged) { f.key.Value, f.kvno = make([]byte, 32), 2 }, reason.KVNO},
		"somebody else's":       {func(f *forged) { f.key.Value, f.sname.Components[1] = make([]byte, 32), "x" }, reason.WrongSPN},
		"krbtgt, as a TGT has":  {func(f *forged) { f.sname.Components = []string{"krbtgt", ourRealm} }, reason.WrongSPN},
		"a user-to-user ticket": {func(f *forged) { f.key.Value = f.session.Value }, reason.WrongKey},
	} {
		f := forge(a, 18)
		c.change(f)
		expect(t, a, what, f.token(t), c.want)
	}
}

func TestHoleCrossRealm(t *testing.T) {
	foreign := func(o *Options) {
		o.Realms = append(o.Realms, Realm{Name: "PARTNER.TEST"}, Realm{Name: "AD.TEST", Transited: "trusted"})
	}
	a := forgeAcceptor(t, foreign)
	for _, c := range []struct {
		what, realm, transited string
		flags                  uint32
		want                   reason.Code
	}{
		{"not trusted", "STRANGER.TEST", "", 0, reason.Realm},
		{"not trusted, checked by the KDC", "STRANGER.TEST", "", wire.FlagTransited, reason.Realm},
		{"another case", "example.test", "", 0, reason.Realm},
		{"direct trust", "PARTNER.TEST", "", 0, ""},
		{"a path nobody checked", "PARTNER.TEST", "EVIL.TEST", 0, reason.Transited},
		{"a path the KDC checked", "PARTNER.TEST", "MIDDLE.TEST", wire.FlagTransited, ""},
		{"Active Directory, which never says so", "AD.TEST", "MIDDLE.TEST", 0, ""},
		{"our own realm by a detour", ourRealm, "EVIL.TEST", 0, reason.Transited},
	} {
		f := forge(a, 18)
		f.client.Realm, f.authClient.Realm, f.transited, f.flags = c.realm, c.realm, c.transited, c.flags
		expect(t, a, c.what, f.token(t), c.want)
	}
}

func TestTimesOfTickets(t *testing.T) {
	a := forgeAcceptor(t, nil)
	for _, c := range []struct {
		what   string
		change func(*forged)
		want   reason.Code
	}{
		{"ended an hour ago", func(f *forged) { f.end = f.ctime.Add(-time.Hour) }, reason.Expired},
		{"ended a minute ago: within the skew", func(f *forged) { f.end = f.ctime.Add(-time.Minute) }, ""},
		{"starts in an hour", func(f *forged) { f.start = f.ctime.Add(time.Hour) }, reason.NotYetValid},
		{"marked invalid", func(f *forged) { f.flags = wire.FlagInvalid }, reason.NotYetValid},
		{"client 6 minutes behind", func(f *forged) { f.ctime = f.ctime.Add(-6 * time.Minute) }, reason.ClockSkew},
		{"client 6 minutes ahead", func(f *forged) { f.ctime = f.ctime.Add(6 * time.Minute) }, reason.ClockSkew},
		{"client 4 minutes ahead", func(f *forged) { f.ctime = f.ctime.Add(4 * time.Minute) }, ""},
		{"anonymous flag", func(f *forged) { f.flags = wire.FlagAnonymous }, reason.NotAPerson},
		{"anonymous name", func(f *forged) {
			f.client.Components = []string{"WELLKNOWN", "ANONYMOUS"}
			f.authClient.Components = f.client.Components
		}, reason.NotAPerson},
	} {
		f := forge(a, 18)
		c.change(f)
		expect(t, a, c.what, f.token(t), c.want)
	}
}

func TestNamesThatCannotBeStored(t *testing.T) {
	a := forgeAcceptor(t, nil)
	for _, name := range []string{"", "a\x00b", "a\nb", "\xff", strings.Repeat("x", 600)} {
		f := forge(a, 18)
		f.client.Components = []string{name}
		f.authClient.Components = f.client.Components
		expect(t, a, name, f.token(t), reason.Malformed)
	}
}

func TestChannelBinding(t *testing.T) {
	ours, theirs := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	bound := func(h []byte) []byte { b := wire.Bnd(h); return krbtest.Checksum(b[:]) }
	none := krbtest.Checksum(make([]byte, 16))
	for _, c := range []struct {
		mode string
		own  [][]byte
		sum  []byte
		want reason.Code
	}{
		{"off", [][]byte{ours}, bound(theirs), ""},
		{"allow", [][]byte{ours}, none, ""},
		{"allow", [][]byte{ours}, bound(ours), ""},
		{"allow", [][]byte{theirs, ours}, bound(ours), ""},
		{"allow", [][]byte{ours}, bound(theirs), reason.ChannelBinding},
		{"allow", nil, bound(theirs), ""},
		{"require", [][]byte{ours}, none, reason.ChannelBinding},
		{"require", [][]byte{ours}, bound(ours), ""},
		{"require", nil, bound(ours), reason.ChannelBinding},
		{"allow", nil, nil, reason.Malformed},
		{"allow", nil, none[:20], reason.Malformed},
		{"off", nil, append([]byte{255, 255, 255, 255}, none[4:]...), reason.Malformed},
	} {
		a := forgeAcceptor(t, func(o *Options) {
			o.ChannelBinding = c.mode
			o.ChannelBindings = func() [][]byte { return c.own }
		})
		f := forge(a, 18)
		f.sum = c.sum
		expect(t, a, c.mode, f.token(t), c.want)
	}
}

func TestMechListMIC(t *testing.T) {
	a := forgeAcceptor(t, nil)
	for _, subkey := range []wire.Key{{}, {Etype: 17, Value: bytes.Repeat([]byte{3}, 16)}} {
		f := forge(a, 18)
		f.subkey = subkey
		key := f.session
		if subkey.Etype != 0 {
			key = subkey
		}
		list := krbtest.MechList(krbtest.MechKRB5)
		mic := initiatorMIC(t, key, list)
		build := func(mic []byte) []byte {
			body := wire.TLV(wire.Context(0), list)
			body = wire.AppendTLV(body, wire.Context(2), wire.TLV(wire.TagOctetString, krbtest.Frame(f.apReq(t))))
			body = wire.AppendTLV(body, wire.Context(3), wire.TLV(wire.TagOctetString, mic))
			return wire.TLV(tagGSS, []byte("\x06\x06\x2b\x06\x01\x05\x05\x02"), wire.TLV(tagNegInit, wire.TLV(wire.TagSequence, body)))
		}
		login, err := a.Accept(t.Context(), build(mic))
		must(t, err)
		var d wire.Decoder
		checkOurMIC(t, key, d.Octets(d.Sequence(d.Only(login.Reply, tagNegResp))[3]), list)
		mic[len(mic)-1] ^= 1
		expect(t, a, "a wrong MIC", build(mic), reason.Malformed)
		expect(t, a, "an empty MIC", build(nil), reason.Malformed)
	}
}

func TestBadTokens(t *testing.T) {
	a := forgeAcceptor(t, nil)
	random := make([]byte, 4096)
	for i := range random {
		random[i] = byte(i*i + i>>3)
	}
	good := forge(a, 18).token(t)
	expect(t, a, "nil", nil, reason.Malformed)
	expect(t, a, "empty", []byte{}, reason.Malformed)
	expect(t, a, "one byte", []byte{0x60}, reason.Malformed)
	expect(t, a, "random", random, reason.Malformed)
	expect(t, a, "48 KB of zeros", make([]byte, MaxToken), reason.Malformed)
	expect(t, a, "64 KB", make([]byte, 64*1024), reason.TokenTooBig)
	expect(t, a, "1 MB", make([]byte, 1<<20), reason.TokenTooBig)
	expect(t, a, "indefinite length", []byte{0x60, 0x80, 6, 1, 0, 0, 0}, reason.Malformed)
	expect(t, a, "length of 2^64", []byte{0x60, 0x88, 255, 255, 255, 255, 255, 255, 255, 255}, reason.Malformed)
	expect(t, a, "trailing byte", append(good[:len(good):len(good)], 0), reason.Malformed)
	for i := range good {
		if _, err := a.Accept(t.Context(), good[:i]); reasonOf(t, err) == "" {
			t.Fatalf("accepted when cut after %d bytes", i)
		}
	}
}

func TestTicketOf40KBIsAccepted(t *testing.T) {
	a := forgeAcceptor(t, nil)
	f := forge(a, 18)
	f.authData = wire.TLV(wire.TagSequence, adElement(wire.ADIfRelevant, wire.TLV(wire.TagSequence, adElement(4711, make([]byte, 40_000)))))
	expect(t, a, "a user with very many groups", f.token(t), "")
}

func TestDatabaseFailureIsNoRefusal(t *testing.T) {
	down := errors.New("database is down")
	a := forgeAcceptor(t, func(o *Options) { o.Seen = failingSeen(down) })
	_, err := a.Accept(t.Context(), forge(a, 18).token(t))
	if !errors.Is(err, down) || errors.As(err, new(*reason.Error)) {
		t.Errorf("err = %v", err)
	}
}

func TestRefusalCarriesSPNEGOReject(t *testing.T) {
	a := forgeAcceptor(t, nil)
	_, err := a.Accept(t.Context(), forge(a, 23).token(t))
	var e *reason.Error
	if !errors.As(err, &e) || !bytes.HasPrefix(e.Reply, []byte{0xa1}) || !bytes.Contains(e.Reply, []byte{0xa0, 3, 0x0a, 1, 2}) {
		t.Errorf("reply = %x", e.Reply)
	}
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// TestHoleARealmNamesAnothersPeople: the keytab holds keys of two realms, and the
// KDC of one seals tickets that name people of the other.
func TestHoleARealmNamesAnothersPeople(t *testing.T) {
	const b = "B.TEST"
	trusts := func(o *Options) { o.Realms = append(o.Realms, Realm{Name: b}) }
	dir := t.TempDir()
	both := forgeAcceptor(t, func(o *Options) {
		trusts(o)
		o.Keytabs = append(o.Keytabs, writeKeytabOf(t, dir+"/b", b, "b-password"), writeKeytabOf(t, dir+"/alias", "ALIAS.TEST", "service-password"))
		o.Realms = append(o.Realms, Realm{Name: "ALIAS.TEST"})
	})
	oneKey := forgeAcceptor(t, trusts)
	for _, c := range []struct {
		what           string
		a              *Acceptor
		sealer, client string
		want           reason.Code
	}{
		{"A names alice@A", both, ourRealm, ourRealm, ""},
		{"B names bob@B", both, b, b, ""},
		{"B names alice@A", both, b, ourRealm, reason.Realm},
		{"A names bob@B", both, ourRealm, b, reason.Realm},
		{"A names somebody of its alias, whose key is the same", both, ourRealm, "ALIAS.TEST", ""},
		{"A names bob@B, whose keys we do not have", oneKey, ourRealm, b, ""},
	} {
		f := forge(c.a, 18)
		for _, k := range c.a.keytabs.Ring() {
			if k.Principal.Realm == c.sealer && k.Secret.Etype == 18 {
				f.key = k.Secret
			}
		}
		// The ticket's own words are no proof of who sealed it.
		f.client.Realm, f.authClient.Realm, f.srealm = c.client, c.client, c.client
		_, err := c.a.Accept(t.Context(), f.token(t))
		if got := reasonOf(t, err); got != c.want || c.want != "" && !strings.Contains(err.Error(), "sealed with a key of "+c.sealer) {
			t.Errorf("%s: %q, want %q (%v)", c.what, got, c.want, err)
		}
	}
}
