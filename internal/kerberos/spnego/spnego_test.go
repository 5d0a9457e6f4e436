package spnego

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// windows is what a client offers that has NEGOEX.
var windows = []string{krbtest.MechNEGOEX, krbtest.MechMSKRB5, krbtest.MechKRB5, krbtest.MechNTLM}

// What a ticket and its authenticator said, in tests that have none.
var (
	session = wire.Key{Etype: 18, Value: bytes.Repeat([]byte{7}, 32)}
	auth    = &wire.Authenticator{CTime: time.Unix(1_700_000_000, 0)}
	library = types.EncryptionKey{KeyType: session.Etype, KeyValue: session.Value}
)

// answered is a client's later token; nil parts are left out.
func answered(token, mic []byte) []byte {
	return krbtest.NegTokenResp(krbtest.NegIncomplete, "", token, mic)
}

// resp are the fields of a reply.
func resp(t *testing.T, reply []byte) (state byte, mech string, token, mic []byte) {
	t.Helper()
	var d wire.Decoder
	f := d.Sequence(d.Only(reply, tagNegResp))
	state, mech = d.Only(f[0], wire.TagEnumerated)[0], string(f[1])
	if f[2] != nil {
		token = d.Octets(f[2])
	}
	if f[3] != nil {
		mic = d.Octets(f[3])
	}
	if d.Err != nil {
		t.Fatalf("%x: %v", reply, d.Err)
	}
	return state, mech, token, mic
}

func mustResume(t *testing.T, state, token []byte) *Offer {
	t.Helper()
	o, err := Resume(state, token)
	must(t, err)
	return o
}

func TestKerberosFirstIsOneLeg(t *testing.T) {
	for what, c := range map[string]struct {
		token []byte
		mech  string
	}{
		"SPNEGO":          {krbtest.SPNEGO(krbtest.Frame([]byte("AP-REQ"))), krbtest.MechKRB5},
		"as Windows says": {krbtest.SPNEGO(krbtest.Frame([]byte("AP-REQ")), windows[1:]...), krbtest.MechMSKRB5},
		"bare":            {krbtest.Frame([]byte("AP-REQ")), ""},
	} {
		o, err := ParseOffer(c.token)
		must(t, err)
		if o.SPNEGO != (c.mech != "") || o.Second || o.Judged || string(o.APReq) != "AP-REQ" {
			t.Errorf("%s: %+v", what, o)
		}
		reply, state, err := o.Answer(session, auth)
		must(t, err)
		if state != nil {
			t.Errorf("%s: another leg", what)
		}
		if !o.SPNEGO {
			if !bytes.HasPrefix(reply[2:], []byte(krbtest.MechKRB5+"\x02\x00")) { // RFC 4121 §4.1
				t.Errorf("%s: %x", what, reply)
			}
			continue
		}
		if state, mech, token, mic := resp(t, reply); state != krbtest.NegCompleted || mech != c.mech || token == nil || mic != nil {
			t.Errorf("%s: %x", what, reply)
		}
	}
}

// The whole exchange of a client whose first choice is another mechanism.
func TestKerberosSecondIsThreeLegs(t *testing.T) {
	list := krbtest.MechList(windows...)
	o, err := ParseOffer(krbtest.SPNEGO([]byte("NEGOEXTS"), windows...))
	must(t, err)
	if !o.Second || o.APReq != nil {
		t.Fatalf("%+v", o)
	}
	reply, one := o.RequestMIC()
	if state, mech, _, _ := resp(t, reply); state != krbtest.NegRequestMIC || mech != krbtest.MechMSKRB5 {
		t.Errorf("first leg: %x", reply)
	}
	o = mustResume(t, one, answered(krbtest.Frame([]byte("AP-REQ")), nil))
	if !o.Second || o.Judged || string(o.APReq) != "AP-REQ" {
		t.Fatalf("%+v", o)
	}
	reply, two, err := o.Answer(session, auth)
	must(t, err)
	state, _, token, mic := resp(t, reply)
	if state != krbtest.NegIncomplete || token == nil || two == nil {
		t.Errorf("second leg: %x", reply)
	}
	must(t, krbtest.CheckMIC(library, mic, list))
	theirs, err := krbtest.MIC(library, list)
	must(t, err)
	o = mustResume(t, two, answered(nil, theirs))
	if !o.Judged || string(o.APReq) != "AP-REQ" {
		t.Fatalf("%+v", o)
	}
	reply, err = o.Finish(session, auth)
	must(t, err)
	if state, _, _, _ := resp(t, reply); state != krbtest.NegCompleted {
		t.Errorf("third leg: %x", reply)
	}
	shorter, err := krbtest.MIC(library, krbtest.MechList(windows[1:]...)) // somebody took NEGOEX off the list
	must(t, err)
	for what, mic := range map[string][]byte{"no MIC": nil, "another list": shorter, "short": theirs[:15], "our own, sent back": mic} {
		reply, err := mustResume(t, two, answered(nil, mic)).Finish(session, auth)
		if reply != nil || codeOf(err) != reason.Malformed {
			t.Errorf("%s: %x, %v", what, reply, err)
		}
	}
}

// A client that wants no mutual authentication has its MIC ready with the ticket.
func TestTheMICWithTheTicketIsTheLastLeg(t *testing.T) {
	o, err := ParseOffer(krbtest.SPNEGO(nil, windows...))
	must(t, err)
	_, state := o.RequestMIC()
	mic, err := krbtest.MIC(library, krbtest.MechList(windows...))
	must(t, err)
	reply, state, err := mustResume(t, state, answered(krbtest.Frame([]byte("AP-REQ")), mic)).Answer(session, auth)
	must(t, err)
	if s, _, _, _ := resp(t, reply); s != krbtest.NegCompleted || state != nil {
		t.Errorf("%x, %x", reply, state)
	}
}

// The client's library reads the KRB-ERROR in the form that it speaks.
func TestRejectIsAsTheClientSpeaks(t *testing.T) {
	token := ErrorToken([]byte("KRB-ERROR"))
	if !bytes.HasSuffix(token, []byte(krbtest.MechKRB5+"\x03\x00KRB-ERROR")) {
		t.Errorf("%x", token)
	}
	if got := (&Offer{}).Reject(token); !bytes.Equal(got, token) {
		t.Errorf("bare: %x", got)
	}
	state, mech, got, _ := resp(t, (&Offer{SPNEGO: true}).Reject(token))
	if state != krbtest.NegReject || mech != "" || !bytes.Equal(got, token) {
		t.Errorf("SPNEGO: %d %x %x", state, mech, got)
	}
}

func codeOf(err error) reason.Code {
	var refused *reason.Error
	errors.As(err, &refused)
	if refused == nil {
		return ""
	}
	return refused.Reason
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
