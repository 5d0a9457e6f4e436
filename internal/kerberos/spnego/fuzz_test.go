package spnego

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// checkRefusal: what cannot be read is refused, in few words.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if err != nil && (!errors.As(err, new(*reason.Error)) || len(err.Error()) > 4096) {
		t.Errorf("refused by %.5000v", err)
	}
}

// FuzzState: what was kept is read as it was written.
func FuzzState(f *testing.F) {
	o := &Offer{mechList: krbtest.MechList(windows...), APReq: []byte{}}
	f.Add(o.state(wantsAPReq))
	o.APReq = []byte("AP-REQ")
	f.Add(o.state(wantsMIC))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := readState(b)
		checkRefusal(t, err)
		if err != nil {
			return
		}
		again, err := readState(o.state(b[0]))
		if err != nil || o.Judged != again.Judged || !isKerberos(o.mech) || o.mech != again.mech || !bytes.Equal(o.APReq, again.APReq) || !bytes.Equal(o.mechList, again.mechList) {
			t.Errorf("%+v, written and read again %+v (%v)", o, again, err)
		}
	})
}

// FuzzOffer is SPNEGO's first token, down to the AP-REQ.
func FuzzOffer(f *testing.F) {
	f.Add(krbtest.SPNEGO(krbtest.Frame([]byte("AP-REQ"))))
	f.Add(krbtest.SPNEGO([]byte("NEGOEXTS"), windows...))
	f.Add(krbtest.Frame([]byte("AP-REQ")))
	f.Fuzz(func(t *testing.T, token []byte) {
		o, err := ParseOffer(token)
		checkRefusal(t, err)
		if err != nil {
			return
		}
		if len(o.mechs) > maxMechs || len(o.APReq)+len(o.mechList)+len(o.mic) > len(token) || o.Second && o.APReq != nil {
			t.Errorf("%+v", o)
		}
		written := krbtest.Frame(o.APReq)
		if o.SPNEGO {
			var mechs []string
			for _, m := range o.mechs {
				mechs = append(mechs, string(wire.TLV(wire.TagOID, []byte(m))))
			}
			written = krbtest.SPNEGO(written, mechs...)
		}
		again, err := ParseOffer(written)
		if err != nil || o.mech != again.mech || o.Second != again.Second || !slices.Equal(o.mechs, again.mechs) || !bytes.Equal(o.APReq, again.APReq) {
			t.Errorf("%+v, written and read again %+v (%v)", o, again, err)
		}
	})
}

// FuzzNegTokenResp is SPNEGO's later token. Nobody makes a MIC without the key.
func FuzzNegTokenResp(f *testing.F) {
	f.Add(negTokenResp(negCompleted, oidKRB5, []byte("token"), []byte("mic")))
	f.Add(answered(nil, nil))
	key := wire.Key{Etype: 18, Value: bytes.Repeat([]byte{7}, 32)}
	f.Fuzz(func(t *testing.T, b []byte) {
		if checkMIC(key, b, nil) == nil {
			t.Error("a forged MIC")
		}
		r, err := parseAnswer(b)
		checkRefusal(t, err)
		if err != nil {
			return
		}
		if again, err := parseAnswer(answered(r.token, r.mic)); err != nil || !bytes.Equal(r.token, again.token) || !bytes.Equal(r.mic, again.mic) {
			t.Errorf("%+v, written and read again %+v (%v)", r, again, err)
		}
	})
}

// FuzzReply is a server's last token, as a client reads it.
func FuzzReply(f *testing.F) {
	f.Add(negTokenResp(negCompleted, oidKRB5, frame(idAPRep, []byte("AP-REP")), nil))
	f.Add(negTokenResp(negReject, "", ErrorToken(wire.KRBErrorMessage(41, time.Unix(0, 0), wire.Principal{Components: []string{"HTTP"}, Realm: "R"})), nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		apRep, err := ReadReply(b)
		checkRefusal(t, err)
		if again, err := ReadReply(negTokenResp(negCompleted, oidKRB5, frame(idAPRep, apRep), nil)); len(apRep) > 0 && (err != nil || !bytes.Equal(apRep, again)) {
			t.Errorf("%x, written and read again %x (%v)", apRep, again, err)
		}
	})
}

// What a client begins is read as it is meant.
func TestInitiateIsAnOffer(t *testing.T) {
	o, err := ParseOffer(Initiate([]byte("AP-REQ")))
	if err != nil || !o.SPNEGO || o.Second || string(o.APReq) != "AP-REQ" {
		t.Errorf("%+v %v", o, err)
	}
}
