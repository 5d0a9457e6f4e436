package wire

import (
	"bytes"
	"encoding/binary"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"
)

// Each target reads what somebody outside can send. Beyond "no panic": what is
// read says nothing that is not in the input, and is read again from what we
// would write.

var fuzzKey = Key{Etype: 18, Value: bytes.Repeat([]byte{7}, 32)}

func nameDER(p Principal) []byte {
	var list []byte
	for _, c := range p.Components {
		list = AppendTLV(list, TagString, []byte(c))
	}
	return TLV(TagSequence, TLV(Context(0), Int(int64(p.NameType))), TLV(Context(1), TLV(TagSequence, list)))
}

func sealedDER(s Sealed) []byte {
	body := TLV(Context(0), Int(int64(s.Etype)))
	if s.KVNO != 0 {
		body = AppendTLV(body, Context(1), Int(int64(s.KVNO)))
	}
	return TLV(TagSequence, AppendTLV(body, Context(2), TLV(TagOctetString, s.Cipher)))
}

func keyDER(k Key) []byte {
	return TLV(TagSequence, TLV(Context(0), Int(int64(k.Etype))), TLV(Context(1), TLV(TagOctetString, k.Value)))
}

func flagsDER(v uint32) []byte {
	return TLV(TagBitString, binary.BigEndian.AppendUint32([]byte{0}, v))
}

// message is a SEQUENCE of the fields that are not nil, under an application tag.
func message(app byte, fields ...[]byte) []byte {
	var body []byte
	for i, f := range fields {
		if f != nil {
			body = AppendTLV(body, Context(i), f)
		}
	}
	return TLV(app, TLV(TagSequence, body))
}

func text(s string) []byte { return TLV(TagString, []byte(s)) }

func apReqDER(r APReq) []byte {
	tkt := message(AppTicket, Int(pvno), text(r.Ticket.Service.Realm), nameDER(r.Ticket.Service), sealedDER(r.Ticket.Part))
	return message(AppAPReq, Int(pvno), Int(msgAPReq), flagsDER(0), tkt, sealedDER(r.Authenticator))
}

func ticketPartDER(t TicketPart) []byte {
	path := TLV(TagSequence, TLV(Context(0), Int(int64(t.TransitedType))), TLV(Context(1), TLV(TagOctetString, t.Transited)))
	return message(AppEncTicketPart, flagsDER(t.Flags), keyDER(t.Key), text(t.Client.Realm), nameDER(t.Client), path,
		Time(t.AuthTime), Time(t.StartTime), Time(t.EndTime), nil, nil, t.AuthData)
}

func authenticatorDER(a Authenticator) []byte {
	var sum, subkey, sequence []byte
	if a.Sum != nil {
		sum = TLV(TagSequence, TLV(Context(0), Int(int64(a.SumType))), TLV(Context(1), TLV(TagOctetString, a.Sum)))
	}
	if a.Subkey.Etype != 0 {
		subkey = keyDER(a.Subkey)
	}
	if a.Sequence != nil {
		sequence = Int(int64(*a.Sequence))
	}
	return message(AppAuthenticator, Int(pvno), text(a.Client.Realm), nameDER(a.Client), sum, Int(a.CUsec), Time(a.CTime), subkey, sequence)
}

// readBack reads what was written of a value, and compares.
func readBack[T any](t *testing.T, want T, written []byte, parse func([]byte) (T, error)) {
	t.Helper()
	got, err := parse(written)
	if err != nil || !reflect.DeepEqual(want, got) {
		t.Errorf("read %+v, written and read again %+v (%v)", want, got, err)
	}
}

// checkPrincipal: a name that was read can be stored and shown.
func checkPrincipal(t *testing.T, p Principal) {
	t.Helper()
	if len(p.Components) == 0 || len(p.Components) > maxComponents || CheckName(p.Realm) != nil {
		t.Errorf("principal %q", p)
	}
	for _, c := range p.Components {
		if CheckName(c) != nil {
			t.Errorf("principal %q", p)
		}
	}
}

var (
	fuzzClient = Principal{Components: []string{"alice"}, Realm: "EXAMPLE.TEST", NameType: 1}
	fuzzServer = Principal{Components: []string{"HTTP", "idp.localhost"}, Realm: "EXAMPLE.TEST", NameType: 3}
	fuzzTime   = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
)

// FuzzAPReq is what anybody can send. What is outside the seals is bounded by
// what came.
func FuzzAPReq(f *testing.F) {
	f.Add(apReqDER(APReq{Ticket{fuzzServer, Sealed{18, 3, make([]byte, 60)}}, Sealed{18, 0, make([]byte, 60)}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseAPReq(b)
		if err != nil {
			return
		}
		checkPrincipal(t, r.Ticket.Service)
		if len(r.Ticket.Part.Cipher)+len(r.Authenticator.Cipher) > len(b) {
			t.Error("more than came")
		}
		readBack(t, r, apReqDER(r), ParseAPReq)
	})
}

// FuzzTicketPart is what a KDC writes.
func FuzzTicketPart(f *testing.F) {
	f.Add(ticketPartDER(TicketPart{Key: fuzzKey, Client: fuzzClient, Transited: []byte{}, AuthTime: fuzzTime, StartTime: fuzzTime, EndTime: fuzzTime, AuthData: authData(nil)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseTicketPart(b)
		if err != nil {
			return
		}
		checkPrincipal(t, p.Client)
		if len(p.AuthData)+len(p.Transited)+len(p.Key.Value) > len(b) {
			t.Error("more than came")
		}
		readBack(t, p, ticketPartDER(p), ParseTicketPart)
	})
}

// FuzzAuthenticator is what anybody with a ticket writes.
func FuzzAuthenticator(f *testing.F) {
	seq := uint32(1 << 31)
	f.Add(authenticatorDER(Authenticator{Client: fuzzClient, SumType: 0x8003, Sum: make([]byte, 24), CTime: fuzzTime, CUsec: 999_999, Subkey: fuzzKey, Sequence: &seq}))
	f.Add(authenticatorDER(Authenticator{Client: fuzzClient, CTime: fuzzTime}))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAuthenticator(b)
		if err != nil {
			return
		}
		checkPrincipal(t, a.Client)
		if a.Subkey.Etype == 0 {
			a.Subkey = Key{} // etype 0 is none, whatever its key
		}
		readBack(t, a, authenticatorDER(a), ParseAuthenticator)
	})
}

// authData is authorization data with a PAC in it, as KDCs write it.
func authData(pac []byte) []byte {
	element := func(kind int64, data []byte) []byte {
		return TLV(TagSequence, TLV(Context(0), Int(kind)), TLV(Context(1), TLV(TagOctetString, data)))
	}
	return TLV(TagSequence, element(ADIfRelevant, TLV(TagSequence, element(ADPAC, pac))))
}

// FuzzAuthorizationData: the PAC that is found was in it, and is found again
// where KDCs put it.
func FuzzAuthorizationData(f *testing.F) {
	f.Add(authData([]byte("PAC")))
	f.Add(authData(authData(nil)))
	f.Add(TLV(TagSequence))
	f.Fuzz(func(t *testing.T, b []byte) {
		pac, err := FindPAC(b)
		if err != nil || pac == nil {
			return
		}
		if !bytes.Contains(b, pac) {
			t.Error("a PAC that is not in the data")
		}
		if again, err := FindPAC(authData(pac)); err != nil || !bytes.Equal(again, pac) {
			t.Errorf("written and read again: %x, %v", again, err)
		}
	})
}

// FuzzKDCReply is what anybody on the path to a KDC sends, and what is under the
// seal of one.
func FuzzKDCReply(f *testing.F) {
	tkt := message(AppTicket, Int(pvno), text(fuzzServer.Realm), nameDER(fuzzServer), sealedDER(Sealed{18, 3, make([]byte, 60)}))
	f.Add(message(AppASRep, Int(pvno), Int(11), nil, text(fuzzClient.Realm), nameDER(fuzzClient), tkt, sealedDER(Sealed{18, 0, make([]byte, 60)})))
	f.Add(message(AppEncTGSRep, keyDER(fuzzKey), nil, Int(4711), nil, nil, nil, nil, nil, nil, text(fuzzServer.Realm), nameDER(fuzzServer)))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, app := range []byte{AppASRep, AppTGSRep} {
			r, err := ParseKDCRep(b, app)
			if err != nil {
				continue
			}
			checkPrincipal(t, r.Client)
			again := func(b []byte) (KDCRep, error) { return ParseKDCRep(b, app) }
			readBack(t, r, message(app, Int(pvno), nil, r.PAData, text(r.Client.Realm), nameDER(r.Client), r.Ticket, sealedDER(r.Part)), again)
		}
		if p, err := ParseKDCRepPart(b); err == nil {
			checkPrincipal(t, p.Server)
			readBack(t, p, message(AppEncASRep, keyDER(p.Key), nil, Int(int64(p.Nonce)), nil, nil, nil, nil, nil, nil, text(p.Server.Realm), nameDER(p.Server)), ParseKDCRepPart)
		}
	})
}

// FuzzKRBError: whatever looks like one is one, with texts that can be logged.
func FuzzKRBError(f *testing.F) {
	f.Add(KRBErrorMessage(25, fuzzTime, fuzzServer))
	f.Add(message(AppError, nil, nil, nil, nil, nil, nil, Int(18), nil, nil, nil, nil, text("CLIENT\xffREVOKED"),
		TLV(TagOctetString, TLV(TagSequence, TLV(Context(1), Int(3)), TLV(Context(2), TLV(TagOctetString, make([]byte, 12)))))))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, ok := ParseError(b)
		if ok != (len(b) > 0 && b[0] == AppError) || len(e.Data) > len(b) || len(e.Text) > len(b)+32 || strings.ToValidUTF8(e.Text, "") != e.Text {
			t.Errorf("%v, %+v", ok, e)
		}
		_ = e.NTStatus()
		if again, _ := ParseError(KRBErrorMessage(e.Code, fuzzTime, fuzzServer)); again.Code != e.Code {
			t.Errorf("code %d, written and read again %d", e.Code, again.Code)
		}
	})
}

// FuzzEtypeInfo: what a KDC says about the salts of a client's keys.
func FuzzEtypeInfo(f *testing.F) {
	entry := func(fields ...[]byte) []byte {
		m := message(0, fields...)
		return TLV(TagSequence, m[2:])[2:]
	}
	list := TLV(TagSequence, entry(Int(20), text("EXAMPLE.TESTalice"), TLV(TagOctetString, []byte{0, 0, 0x80, 0})), entry(Int(18)))
	f.Add(TLV(TagSequence, TLV(TagSequence, TLV(Context(1), Int(paETypeInfo2)), TLV(Context(2), TLV(TagOctetString, list)))))
	f.Fuzz(func(t *testing.T, b []byte) {
		infos := EtypeInfos(b)
		if len(infos) > maxPAElements {
			t.Errorf("%d entries", len(infos))
		}
		for _, e := range infos {
			if len(e.Params) > len(b) || e.Salt != nil && len(*e.Salt) > len(b) {
				t.Error("more than came")
			}
		}
		_ = KRBError{Data: b}.NTStatus()
	})
}

// FuzzPrivate is a KRB-PRIV of somebody without the key, and then of somebody who
// has it: what we write we read.
func FuzzPrivate(f *testing.F) {
	sealed, err := Private(fuzzKey, []byte("\x00\x00done"), fuzzTime, 1, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(f, err)
	f.Add(sealed)
	f.Add(message(appEncPrivate, TLV(TagOctetString, []byte("data"))))
	k, err := NewSealKey(fuzzKey, usagePrivate)
	must(f, err)
	f.Fuzz(func(t *testing.T, b []byte) {
		if data, err := OpenPrivate(fuzzKey, b); err == nil && string(data) != "\x00\x00done" {
			t.Errorf("a forged message says %q", data)
		}
		inner, err := k.Seal(b)
		must(t, err)
		if data, err := OpenPrivate(fuzzKey, message(appPrivate, Int(pvno), Int(msgPrivate), nil, EncryptedData(fuzzKey.Etype, inner))); err == nil && !bytes.Contains(b, data) {
			t.Errorf("%x is not in it", data)
		}
		whole, err := Private(fuzzKey, b, fuzzTime, 1, nil)
		must(t, err)
		if data, err := OpenPrivate(fuzzKey, whole); err != nil || !bytes.Equal(data, b) {
			t.Errorf("written %x, read %x (%v)", b, data, err)
		}
	})
}

// FuzzSeal: with every encryption type what is sealed is opened, and nothing
// else is, whatever its length.
func FuzzSeal(f *testing.F) {
	f.Add([]byte{}, uint(0))
	f.Add(make([]byte, 16), uint(20))
	f.Add(make([]byte, 33), uint(77))
	var keys []*SealKey
	for _, etype := range supported {
		size := 16
		if etype == 18 || etype == 20 {
			size = 32
		}
		k, err := NewSealKey(Key{etype, bytes.Repeat([]byte{9}, size)}, UsageTicket)
		must(f, err)
		keys = append(keys, k)
	}
	f.Fuzz(func(t *testing.T, b []byte, at uint) {
		for _, k := range keys {
			if _, err := k.Open(b); err == nil {
				t.Errorf("%s: opened a forgery", EtypeName(k.etype))
			}
			ct, err := k.Seal(b)
			must(t, err)
			if pt, err := k.Open(ct); err != nil || !bytes.Equal(pt, b) || len(ct) != len(b)+k.overhead() {
				t.Errorf("%s: %x became %x (%v)", EtypeName(k.etype), b, pt, err)
			}
			ct[at%uint(len(ct))] ^= 1
			if _, err := k.Open(ct); err == nil {
				t.Errorf("%s: opened a changed ciphertext", EtypeName(k.etype))
			}
		}
	})
}

// FuzzAPRep is a server's proof, as a client reads it: nobody makes one without the
// key. What the key opens is read whatever it is.
func FuzzAPRep(f *testing.F) {
	rep, err := APRep(fuzzKey, &Authenticator{CTime: time.Unix(2_000_000_000, 0), CUsec: 7})
	must(f, err)
	f.Add(rep, []byte("part"))
	other := Key{Etype: fuzzKey.Etype, Value: bytes.Repeat([]byte{8}, 32)}
	f.Fuzz(func(t *testing.T, b, part []byte) {
		if p, err := OpenAPRep(other, b); err == nil {
			t.Errorf("a forged AP-REP: %+v", p)
		}
		k, err := NewSealKey(fuzzKey, UsageAPRep)
		must(t, err)
		ct, err := k.Seal(part)
		must(t, err)
		rep := message(AppAPRep, Int(pvno), Int(msgAPRep), EncryptedData(fuzzKey.Etype, ct))
		if p, err := OpenAPRep(fuzzKey, rep); err == nil && p.CTime.IsZero() {
			t.Errorf("%x: %+v", part, p)
		}
	})
}
