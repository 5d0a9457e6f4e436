package kerberos

import (
	"bytes"
	"testing"

	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
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
		if r, err := wire.ParseAPReq(b); err == nil {
			_, _ = a.openTicket(&r.Ticket)
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
		if p, err := wire.ParseTicketPart(b); err == nil && p.AuthData != nil {
			_, _ = wire.FindPAC(p.AuthData)
		}
		_, _ = wire.ParseAuthenticator(b)
		_, _ = wire.FindPAC(b)
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
