package kerberos

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/jcmturner/gokrb5/v8/test/testdata"

	"idp/internal/kerberos/krbtest"
)

// FuzzAccept: a token from anybody. Only the one forged for the purpose may be
// accepted, and whatever is accepted is alice.
func FuzzAccept(f *testing.F) {
	a := forgeAcceptor(f, func(o *Options) { o.AllowRC4 = true })
	for _, etype := range allEtypes {
		fg := forge(a, etype)
		f.Add(fg.token(f))
		f.Add(krbtest.Frame(fg.apReq(f)))
	}
	f.Add([]byte("NTLMSSP\x00"))
	f.Add(krbtest.SPNEGO(nil, derOID(oidNEGOEX), derOID(oidNTLM)))
	f.Fuzz(func(t *testing.T, token []byte) {
		login, err := a.Accept(t.Context(), token)
		if err == nil && login.Principal.String() != "alice@"+ourRealm {
			t.Errorf("accepted as %s", login.Principal)
		}
		if err != nil && bytes.Contains([]byte(err.Error()), []byte("panic")) {
			t.Error(err)
		}
	})
}

// FuzzAPReq goes past the SPNEGO framing.
func FuzzAPReq(f *testing.F) {
	a := forgeAcceptor(f, nil)
	f.Add(forge(a, 18).apReq(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := parseAPReq(b); err == nil {
			_, _ = a.openTicket(&r.ticket)
		}
	})
}

// FuzzSealed is what somebody with a ticket, or a KDC, can send.
func FuzzSealed(f *testing.F) {
	a := forgeAcceptor(f, nil)
	fg := forge(a, 18)
	f.Add(fg.ticketPart())
	f.Add(fg.authenticator())
	f.Add(withPAC(nil))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if p, err := parseTicketPart(b); err == nil && p.authData != nil {
			_, _ = findPAC(p.authData)
		}
		_, _ = parseAuthenticator(b)
		_, _ = findPAC(b)
	})
}

// FuzzPAC reads what is behind a valid signature, too.
func FuzzPAC(f *testing.F) {
	for _, h := range []string{testdata.MarshaledPAC_AD_WIN2K_PAC, testdata.MarshaledPAC_Kerb_Validation_Info,
		testdata.MarshaledPAC_Kerb_Validation_Info_MS, testdata.MarshaledPAC_Kerb_Validation_Info_Trust} {
		b, err := hex.DecodeString(h)
		must(f, err)
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		if p, err := splitPAC(b); err == nil {
			_ = verifyPAC(b, p, keyBlock{18, make([]byte, 32)})
			_ = checkClientInfo(p.data[pacClientInfo], &ticketPart{client: Principal{Components: []string{"x"}}})
			_, _ = parseLogonInfo(p.data[pacLogonInfo])
		}
		_, _ = parseLogonInfo(b)
	})
}

// FuzzKDCReply is what anybody on the path to the KDC can send.
func FuzzKDCReply(f *testing.F) {
	f.Add([]byte{appError, 2, 0x30, 0})
	f.Add(tlv(appError, tlv(tagSequence, tlv(contextTag(6), derInt(25)), tlv(contextTag(12), tlv(tagOctetString, tlv(tagSequence))))))
	f.Fuzz(func(_ *testing.T, b []byte) {
		if e, ok := parseError(b); ok {
			_ = e.reject("x")
			_ = etypeInfos(e.data)
		}
		_ = etypeInfos(b)
		_, _ = parseKDCRep(b, appASRep)
		_, _ = parseKDCRepPart(b)
	})
}

// FuzzKeytab: the administrator's file, and never a panic.
func FuzzKeytab(f *testing.F) {
	dir := f.TempDir()
	writeKeytab(f, dir+"/k", ourSPN, "p", 1, 18, 23)
	b, err := readBounded(dir + "/k")
	must(f, err)
	f.Add(b)
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = parseKeytab(b) })
}
