package kerberos

import (
	"bytes"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Tags of tokens, RFC 2743 §3.1 and RFC 4178 §4.2.
const (
	tagGSS     = 0x60
	tagNegInit = 0xa0
	tagNegResp = 0xa1
)

// windows is what a client offers that has NEGOEX.
var windows = []string{krbtest.MechNEGOEX, krbtest.MechMSKRB5, krbtest.MechKRB5, krbtest.MechNTLM}

// initiatorMIC is a client's mechListMIC.
func initiatorMIC(t testing.TB, key wire.Key, list []byte) []byte {
	t.Helper()
	mic, err := krbtest.MIC(types.EncryptionKey{KeyType: key.Etype, KeyValue: key.Value}, list)
	must(t, err)
	return mic
}

// checkOurMIC verifies the mechListMIC of a reply.
func checkOurMIC(t testing.TB, key wire.Key, mic, list []byte) {
	t.Helper()
	if err := krbtest.CheckMIC(types.EncryptionKey{KeyType: key.Etype, KeyValue: key.Value}, mic, list); err != nil {
		t.Errorf("our MIC: %v", err)
	}
}

// reply is a client's later token; nil parts are left out.
func reply(token, mic []byte) []byte {
	return krbtest.NegTokenResp(krbtest.NegIncomplete, "", token, mic)
}

// TestHoleNEGOEXBeforeKerberos is the whole exchange of a client whose first
// choice is another mechanism: request-mic, the ticket, the proof of its list.
func TestHoleNEGOEXBeforeKerberos(t *testing.T) {
	a := forgeAcceptor(t, nil)
	b := forgeAcceptor(t, nil) // another node, with the same keytab
	f := forge(a, 18)
	one, err := a.Step(t.Context(), krbtest.SPNEGO([]byte("NEGOEXTS"), windows...), nil)
	must(t, err)
	if want := krbtest.NegTokenResp(krbtest.NegRequestMIC, krbtest.MechMSKRB5, nil, nil); one.Login != nil || !bytes.Equal(one.Reply, want) {
		t.Fatalf("first leg: %+v, want request-mic for the first Kerberos of the list", one)
	}
	ticket := reply(krbtest.Frame(f.apReq(t)), nil)
	two, err := b.Step(t.Context(), ticket, one.State)
	must(t, err)
	var d wire.Decoder
	fields := d.Sequence(d.Only(two.Reply, tagNegResp))
	if d.Err != nil || two.Login != nil || !bytes.Equal(fields[0], []byte{wire.TagEnumerated, 1, krbtest.NegIncomplete}) || fields[2] == nil || fields[3] == nil {
		t.Fatalf("second leg: %x, want accept-incomplete, an AP-REP and our MIC", two.Reply)
	}
	checkOurMIC(t, f.session, d.Octets(fields[3]), krbtest.MechList(windows...))
	expectStep(t, b, "the ticket again", ticket, one.State, reason.Replay)
	good := initiatorMIC(t, f.session, krbtest.MechList(windows...))
	three, err := a.Step(t.Context(), reply(nil, good), two.State)
	must(t, err)
	if three.Login == nil || three.Login.Principal.String() != "alice@"+ourRealm || three.State != nil ||
		!bytes.Equal(three.Reply, krbtest.NegTokenResp(krbtest.NegCompleted, "", nil, nil)) {
		t.Errorf("third leg: %+v", three)
	}
	shorter := initiatorMIC(t, f.session, krbtest.MechList(windows[1:]...)) // somebody took NEGOEX off the list
	expectStep(t, a, "a MIC over another list", reply(nil, shorter), two.State, reason.Malformed)
	expectStep(t, a, "no MIC", reply(nil, nil), two.State, reason.Malformed)
	expectStep(t, a, "a MIC before a ticket", reply(nil, good), one.State, reason.Malformed)
	expectStep(t, a, "NTLM after all", reply([]byte("NTLMSSP\x00"), nil), one.State, reason.NTLM)
	expectStep(t, a, "not readable", []byte{tagNegResp, 1, 0}, one.State, reason.Malformed)
	for _, state := range [][]byte{{0}, two.State[:1], append(one.State[:1:1], 0x04, 0x7f), []byte("leg"), two.State[:len(two.State)-1]} {
		expectStep(t, a, "another's state", reply(nil, good), state, reason.Malformed)
	}
}

// A client that wants no mutual authentication has its MIC ready with the ticket.
func TestTheMICWithTheTicketEndsTheExchange(t *testing.T) {
	a := forgeAcceptor(t, nil)
	f := forge(a, 20)
	one, err := a.Step(t.Context(), krbtest.SPNEGO(nil, windows...), nil)
	must(t, err)
	two, err := a.Step(t.Context(), reply(krbtest.Frame(f.apReq(t)), initiatorMIC(t, f.session, krbtest.MechList(windows...))), one.State)
	must(t, err)
	if two.Login == nil || two.State != nil || two.Login.Mechanism != MechanismSPNEGO {
		t.Errorf("%+v, want the login", two)
	}
	expectStep(t, a, "a wrong MIC", reply(krbtest.Frame(forge(a, 20).apReq(t)), initiatorMIC(t, f.session, krbtest.MechList(windows[:2]...))), one.State, reason.Malformed)
}

// A first token begins anew, whatever was begun before it.
func TestAFirstTokenBeginsAnew(t *testing.T) {
	a := forgeAcceptor(t, nil)
	one, err := a.Step(t.Context(), krbtest.SPNEGO(nil, windows...), nil)
	must(t, err)
	leg, err := a.Step(t.Context(), forge(a, 18).token(t), one.State)
	must(t, err)
	if leg.Login == nil {
		t.Errorf("%+v", leg)
	}
}

// RC4 makes MICs that look different; the client is told why it cannot log in.
func TestASecondChoiceUnderRC4IsRefused(t *testing.T) {
	a := forgeAcceptor(t, func(o *Options) { o.AllowRC4 = true })
	one, err := a.Step(t.Context(), krbtest.SPNEGO(nil, windows...), nil)
	must(t, err)
	expectStep(t, a, "RC4", reply(krbtest.Frame(forge(a, 23).apReq(t)), nil), one.State, reason.Etype)
}

func expectStep(t *testing.T, a *Acceptor, what string, token, state []byte, want reason.Code) {
	t.Helper()
	leg, err := a.Step(t.Context(), token, state)
	if err == nil || reasonOf(t, err) != want {
		t.Errorf("%s: %+v, %v, want %s", what, leg, err, want)
	}
}

// TestKRBErrors: the library of the client learns what it can mend.
func TestKRBErrors(t *testing.T) {
	a := forgeAcceptor(t, nil)
	used := forge(a, 18).apReq(t)
	_, err := a.Accept(t.Context(), krbtest.Frame(used))
	must(t, err)
	made := func(change func(*forged)) []byte {
		f := forge(a, 18)
		change(f)
		return f.apReq(t)
	}
	for what, c := range map[string]struct {
		apReq []byte
		code  int32
	}{
		"clock":         {made(func(f *forged) { f.ctime = f.ctime.Add(-time.Hour) }), errorcode.KRB_AP_ERR_SKEW},
		"replay":        {used, errorcode.KRB_AP_ERR_REPEAT},
		"key version":   {made(func(f *forged) { f.kvno, f.key.Value = 9, bytes.Repeat([]byte{1}, 32) }), errorcode.KRB_AP_ERR_BADKEYVER},
		"key":           {made(func(f *forged) { f.key.Value = bytes.Repeat([]byte{1}, 32) }), errorcode.KRB_AP_ERR_MODIFIED},
		"expired":       {made(func(f *forged) { f.end = f.end.Add(-9 * time.Hour) }), errorcode.KRB_AP_ERR_TKT_EXPIRED},
		"another realm": {made(func(f *forged) { f.authClient.Realm = "EVIL.TEST" }), errorcode.KRB_AP_ERR_BADMATCH},
	} {
		_, err := a.Accept(t.Context(), krbtest.SPNEGO(krbtest.Frame(c.apReq)))
		var d wire.Decoder
		fields := d.Sequence(d.Only(refused(t, err).Reply, tagNegResp))
		token := d.Octets(fields[2])
		if d.Err != nil || !bytes.Equal(fields[0], []byte{wire.TagEnumerated, 1, krbtest.NegReject}) {
			t.Errorf("%s: no SPNEGO reject with a token: %x", what, refused(t, err).Reply)
			continue
		}
		prefix := []byte(krbtest.MechKRB5 + "\x03\x00") // RFC 4121 §4.1
		var e messages.KRBError
		if err := e.Unmarshal(bytes.TrimPrefix(d.Only(token, tagGSS), prefix)); err != nil {
			t.Errorf("%s: %x is no KRB-ERROR: %v", what, token, err)
			continue
		}
		if e.ErrorCode != c.code || time.Since(e.STime).Abs() > time.Minute || e.SName.PrincipalNameString() != ourSPN || e.Realm != ourRealm {
			t.Errorf("%s: %+v, want code %d", what, e, c.code)
		}
	}
}

func refused(t *testing.T, err error) *reason.Error {
	t.Helper()
	e, ok := err.(*reason.Error) //nolint:errorlint // what Accept returns, not what is in it
	if !ok {
		t.Fatalf("%v is no refusal", err)
	}
	return e
}
