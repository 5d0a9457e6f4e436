package server_test

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"
	"github.com/jcmturner/gokrb5/v8/messages"

	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
	"idp/internal/store/storetest"
)

// Mechanisms as DER, RFC 4178 §4.1.
const (
	mechNEGOEX = "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x1e"
	mechKRB5   = "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"
)

// Every leg of a client that offers NEGOEX first may come to another node.
func TestALaterLegMayComeToAnotherNode(t *testing.T) {
	t.Parallel()
	realm := krbtest.Start(t, krbtest.Options{})
	o := idptest.Options{Database: storetest.Postgres(t), YAML: idptest.KerberosYAML(realm)}
	nodes := [2]*idptest.Server{idptest.Start(t, o)}
	o.KeyFile = nodes[0].Dir + "/idp.key"
	nodes[1] = idptest.Start(t, o)
	b := nodes[0].Browser(t)
	auth := idptest.Wiki()
	path := b.Get(auth.URL()).Request.URL.RequestURI()
	leg := func(node int, token []byte) *idptest.Page {
		return b.Once("GET", nodes[node].Issuer+path, nil, http.Header{"Authorization": {"Negotiate " + base64.StdEncoding.EncodeToString(token)}})
	}
	answer := func(p *idptest.Page) []byte {
		t.Helper()
		h := p.Header.Values("WWW-Authenticate")
		if p.StatusCode != http.StatusUnauthorized || len(h) != 1 || !strings.HasPrefix(h[0], "Negotiate ") || !strings.Contains(p.Body, `name="password"`) {
			t.Fatalf("%d %q, want a 401 with the next token, no other offer, and the page as its body", p.StatusCode, h)
		}
		token, err := base64.StdEncoding.DecodeString(h[0][len("Negotiate "):])
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	if token := answer(leg(0, krbtest.SPNEGO([]byte("NEGOEXTS"), mechNEGOEX, mechKRB5))); !bytes.Contains(token, []byte{0x0a, 1, 3}) {
		t.Fatalf("%x, want request-mic", token)
	}
	ticket := ticketFor(t, realm, "alice", krbtest.AlicePassword)
	raw, subkey, err := ticket.RawWithSubkey()
	if err != nil {
		t.Fatal(err)
	}
	answer(leg(1, negTokenResp(2, raw)))
	list := wire.TLV(wire.TagSequence, []byte(mechNEGOEX+mechKRB5))
	head := []byte{4, 4, 0, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 1}
	_, sum, err := wire.Checksum(wire.Key{Etype: subkey.KeyType, Value: subkey.KeyValue}, 25, list, head)
	if err != nil {
		t.Fatal(err)
	}
	mic := negTokenResp(3, append(head, sum...))
	p := leg(0, mic)
	if p.StatusCode != http.StatusSeeOther || !strings.HasPrefix(p.Header.Get("WWW-Authenticate"), "Negotiate ") {
		t.Fatalf("%d, want a login\n%s", p.StatusCode, strings.Join(nodes[0].Log.Lines("reason="), "\n"))
	}
	resume, err := url.Parse(p.Header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	if again := leg(0, mic); again.StatusCode == http.StatusSeeOther {
		t.Error("the last leg is good a second time")
	}
	auth.Code(t, nodes[0], b.Get(resume.RequestURI()))
}

// What is kept of a stranger's offer is small.
func TestALongListOfMechanismsIsRefused(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	b := s.Browser(t)
	step := b.Get(idptest.Wiki().URL()).Request.URL.String()
	long := "\x06\x82\x40\x00" + strings.Repeat("\x2a", 16<<10) // an OID of 16 KB
	p := b.GetWith(step, "Negotiate "+base64.StdEncoding.EncodeToString(krbtest.SPNEGO(nil, long, mechKRB5)))
	if p.StatusCode != 401 || len(s.Log.Lines("reason=MALFORMED_TOKEN")) != 1 {
		t.Errorf("%d\n%s", p.StatusCode, strings.Join(s.Log.Lines("login="), "\n"))
	}
}

// negTokenResp is a client's later token with one field.
func negTokenResp(field int, value []byte) []byte {
	return wire.TLV(0xa1, wire.TLV(wire.TagSequence, wire.TLV(wire.Context(field), wire.TLV(wire.TagOctetString, value))))
}

// A program has nowhere to come back to with another token.
func TestKerberosSecondWithoutALoginRequestIsRefused(t *testing.T) {
	t.Parallel()
	_, s := inside(t, "")
	token := base64.StdEncoding.EncodeToString(krbtest.SPNEGO([]byte("NEGOEXTS"), mechNEGOEX, mechKRB5))
	p := s.Program(t).GetWith("/login/negotiate", "Negotiate "+token)
	if p.StatusCode != 401 || p.Header.Get("WWW-Authenticate") != "" || len(s.Log.Lines("reason=KERBEROS_NOT_FIRST")) != 1 {
		t.Errorf("%d %q", p.StatusCode, p.Header.Get("WWW-Authenticate"))
	}
}

// A library learns what it can mend; a browser gets the bare 401 that it needs.
func TestKRBErrorIsForPrograms(t *testing.T) {
	t.Parallel()
	realm, s := inside(t, "")
	used := idptest.Negotiate(t, ticketFor(t, realm, "alice", krbtest.AlicePassword))
	if p := s.Program(t).GetWith("/login/negotiate", used); p.StatusCode != 200 {
		t.Fatalf("first use: %d", p.StatusCode)
	}
	p := s.Program(t).GetWith("/login/negotiate", used)
	token, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(p.Header.Get("WWW-Authenticate"), "Negotiate "))
	at := bytes.IndexByte(token, wire.AppError)
	var e messages.KRBError
	if err != nil || at < 0 || e.Unmarshal(token[at:]) != nil || e.ErrorCode != errorcode.KRB_AP_ERR_REPEAT || p.StatusCode != 401 {
		t.Errorf("%d %q: want a 401 with KRB_AP_ERR_REPEAT", p.StatusCode, p.Header.Get("WWW-Authenticate"))
	}
	b := s.Browser(t)
	step := b.Get(idptest.Wiki().URL()).Request.URL.String()
	if p := b.GetWith(step, used); p.StatusCode != 401 || p.Header.Get("WWW-Authenticate") != "" || !strings.Contains(p.Body, `name="password"`) {
		t.Errorf("a browser: %d %q, want a bare 401 with the page", p.StatusCode, p.Header.Get("WWW-Authenticate"))
	}
	if n := len(s.Log.Lines("reason=REPLAY")); n != 2 {
		t.Errorf("%d log lines say REPLAY, want 2", n)
	}
}
