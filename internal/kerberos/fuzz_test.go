package kerberos

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/spnego"
	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// fuzzAcceptor lives at one moment and knows no replays, so that a token that was
// good stays good.
func fuzzAcceptor(f *testing.F) *Acceptor {
	now := time.Now()
	return forgeAcceptor(f, func(o *Options) {
		o.AllowRC4 = true
		o.Now = func() time.Time { return now }
		o.Seen = func(context.Context, []byte, time.Time) (bool, error) { return true, nil }
	})
}

// checkRefusal: what is not accepted is refused, and not by a panic.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	if !errors.As(err, new(*reason.Error)) || bytes.Contains([]byte(err.Error()), []byte("panic")) || len(err.Error()) > 4096 {
		t.Errorf("refused by %.5000v", err)
	}
}

func checkAlice(t *testing.T, login *Login) {
	t.Helper()
	if login.Principal.String() != "alice@"+ourRealm || login.Reply == nil {
		t.Errorf("accepted as %s", login.Principal)
	}
}

// FuzzAccept: a token from anybody. Only those forged for the purpose can be
// accepted, and whatever is accepted is alice.
func FuzzAccept(f *testing.F) {
	a := fuzzAcceptor(f)
	for _, etype := range allEtypes {
		fg := forge(a, etype)
		for _, token := range [][]byte{fg.token(f), krbtest.Frame(fg.apReq(f))} {
			_, err := a.Accept(f.Context(), token)
			must(f, err)
			f.Add(token)
		}
	}
	f.Add([]byte("NTLMSSP\x00"))
	f.Add(krbtest.SPNEGO(nil, krbtest.MechNEGOEX, krbtest.MechNTLM))
	f.Fuzz(func(t *testing.T, token []byte) {
		login, err := a.Accept(t.Context(), token)
		checkRefusal(t, err)
		if err == nil {
			checkAlice(t, login)
		}
	})
}

// FuzzStep: a later token of anybody's, on top of what was kept of the leg before.
func FuzzStep(f *testing.F) {
	a := fuzzAcceptor(f)
	fg := forge(a, 18)
	one, err := a.Step(f.Context(), krbtest.SPNEGO(nil, windows...), nil)
	must(f, err)
	ticket := reply(krbtest.Frame(fg.apReq(f)), nil)
	two, err := a.Step(f.Context(), ticket, one.State)
	must(f, err)
	mic := initiatorMIC(f, fg.session, krbtest.MechList(windows...))
	f.Add(krbtest.SPNEGO(nil, windows...), []byte(nil))
	f.Add(ticket, one.State)
	f.Add(reply(krbtest.Frame(fg.apReq(f)), mic), one.State)
	f.Add(reply(nil, mic), two.State)
	f.Fuzz(func(t *testing.T, token, state []byte) {
		leg, err := a.Step(t.Context(), token, state)
		checkRefusal(t, err)
		switch {
		case err != nil:
		case leg.Login != nil:
			checkAlice(t, leg.Login)
		case leg.Reply == nil || len(leg.State) > len(token)+len(state)+32:
			t.Errorf("another leg with the reply %x and %d bytes of state", leg.Reply, len(leg.State))
		}
	})
}

// FuzzAPReq goes past the SPNEGO framing.
func FuzzAPReq(f *testing.F) {
	a := fuzzAcceptor(f)
	f.Add(forge(a, 18).apReq(f))
	f.Add(forge(a, 20).apReq(f))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := a.examine(b)
		checkRefusal(t, err)
		if err == nil {
			checkAlice(t, x.login(&spnego.Offer{}, []byte{}))
		}
	})
}

// FuzzSealed is under both seals: what a KDC of ours can write into a ticket, and
// whoever has that ticket into an authenticator. Who is accepted is whom the
// ticket names, of a realm that we trust.
func FuzzSealed(f *testing.F) {
	a := fuzzAcceptor(f)
	fg := forge(a, 18)
	for _, change := range []func(){
		func() {},
		func() { fg.authData = withPAC(fg.signedPAC(f, clientInfo("alice", fg.authTime))) },
		func() { fg.subkey = fg.session },
	} {
		change()
		fg.ticketCipher = nil
		_, err := a.Accept(f.Context(), fg.token(f))
		must(f, err)
		f.Add(fg.ticketPart(), fg.authenticator())
	}
	f.Fuzz(func(t *testing.T, ticketPart, authenticator []byte) {
		fg := forge(a, 18)
		fg.ticketCipher = sealWith(t, fg.key, wire.UsageTicket, ticketPart)
		part, err := wire.ParseTicketPart(ticketPart)
		if _, usable := wire.NewSealKey(part.Key, wire.UsageAuthenticator); err == nil && usable == nil {
			fg.session = part.Key
		}
		fg.authCipher = sealWith(t, fg.session, wire.UsageAuthenticator, authenticator)
		login, err := a.Accept(t.Context(), krbtest.Frame(fg.apReq(t)))
		checkRefusal(t, err)
		if err == nil && (!login.Principal.Equal(part.Client) || login.Principal.Realm != ourRealm) {
			t.Errorf("%s became %s", part.Client, login.Principal)
		}
	})
}
