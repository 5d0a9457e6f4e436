package kdc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// checkRefusal: what a stranger sends becomes a refusal, whose text is one line
// of a log.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if err != nil && (!errors.As(err, new(*reason.Error)) || len(err.Error()) > 4096) {
		t.Errorf("refused by %.5000v", err)
	}
}

// vector reads a file of testdata: what MIT's KDC answered to alice, whose password
// was alice-password, and what a kpasswd server would.
func vector(f *testing.F, name string) []byte {
	b, err := os.ReadFile("testdata/" + name)
	must(f, err)
	return b
}

// FuzzKDCReply is what anybody on the path to the KDC can send to whoever asked with
// a password. Without the person's key nobody becomes anybody.
func FuzzKDCReply(f *testing.F) {
	question, genuine := vector(f, "mit-preauth-required"), vector(f, "mit-as-rep")
	e, ok := wire.ParseError(question)
	if !ok || len(wire.EtypeInfos(e.Data)) == 0 {
		f.Fatalf("%+v", e)
	}
	x := &asExchange{c: New(Config{EtypeAllowed: wire.IsAES}), client: someone, secret: byPassword(someone, "alice-password")}
	key, err := x.keyFor(e.Data)
	must(f, err)
	// The nonce was the asker's; here it is read out of the reply.
	rep, err := wire.ParseKDCRep(genuine, wire.AppASRep)
	must(f, err)
	seal, err := wire.NewSealKey(key, wire.UsageASRep)
	must(f, err)
	plain, err := seal.Open(rep.Part.Cipher)
	must(f, err)
	part, err := wire.ParseKDCRepPart(plain)
	must(f, err)
	creds, err := x.readASRep(genuine, int(part.Nonce), &key)
	if err != nil || !creds.Client.Equal(someone) {
		f.Fatalf("the genuine reply: %+v, %v", creds, err)
	}
	x.secret = byKey([]wire.Key{key}) // no PBKDF2 for every input
	f.Add(question)
	f.Add(genuine)
	f.Add(wire.TLV(wire.AppError, wire.TLV(wire.TagSequence, wire.TLV(wire.Context(6), wire.Int(25)), wire.TLV(wire.Context(12), wire.TLV(wire.TagOctetString, wire.TLV(wire.TagSequence))))))
	f.Fuzz(func(t *testing.T, b []byte) {
		if e, ok := wire.ParseError(b); ok {
			checkRefusal(t, refusal(e, "x"))
			_, err := x.keyFor(e.Data)
			checkRefusal(t, err)
		}
		for _, k := range []*wire.Key{&key, nil} {
			creds, err := x.readASRep(b, int(part.Nonce), k)
			checkRefusal(t, err)
			if err == nil && (!creds.Client.Equal(someone) || !bytes.Contains(b, rep.Part.Cipher)) {
				t.Errorf("a forged reply makes %s", creds.Client)
			}
			if _, err := x.readASRep(b, int(part.Nonce)+1, k); err == nil {
				t.Error("the answer to another question is taken")
			}
		}
	})
}

// FuzzKpasswdReply is what anybody on the path to the kpasswd server can send,
// then what the server can.
func FuzzKpasswdReply(f *testing.F) {
	key := wire.Key{Etype: 18, Value: bytes.Repeat([]byte{7}, 32)}
	framed := func(private []byte) []byte {
		apRep := []byte("AP-REP")
		b := binary.BigEndian.AppendUint16(nil, uint16(6+len(apRep)+len(private)))
		b = append(b, 0, 1, 0, byte(len(apRep)))
		return append(append(b, apRep...), private...)
	}
	// It is of a file, for a fuzzer is several processes, which seal differently.
	done := vector(f, "kpasswd-done")
	must(f, readKpasswdReply(done, key))
	f.Add(done)
	f.Add([]byte("\x00\x04Password too short"))
	f.Add(append([]byte{0, 4}, make([]byte, 30)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		err := readKpasswdReply(b, key)
		checkRefusal(t, err)
		if err == nil && !bytes.Contains(b, done[len(done)-60:]) {
			t.Error("a forged success")
		}
		if len(b) > 32*1024 {
			return // more than the length of a reply can say
		}
		private, err := wire.Private(key, b, time.Unix(1_700_000_000, 0), 1, &net.TCPAddr{})
		must(t, err)
		err = readKpasswdReply(framed(private), key)
		checkRefusal(t, err)
		if (err == nil) != (len(b) >= 2 && b[0] == 0 && b[1] == 0) {
			t.Errorf("result %x: %v", b, err)
		}
	})
}

// FuzzKrb5Conf: the administrator's file. No line of it means this machine by
// saying nothing.
func FuzzKrb5Conf(f *testing.F) {
	f.Add("[libdefaults]\n dns_lookup_kdc = no\n udp_preference_limit = 1\n[realms]\nA = {\n kdc = tcp/kdc1:88\n kdc = [::1]*\n kpasswd_server = x\n admin_server = \"y:749\"\n v4 = {\n kdc = no\n }\n}\n")
	f.Add("[realms]\nA = {\n kdc =\n admin_server = tcp/\n kpasswd_server = *\n}\n")
	f.Add("[realms]\nA = { kdc = a }\n}}}\n[\n=\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include") {
			return // it would read this machine's files
		}
		c := newKrb5Conf()
		must(t, c.parse(text))
		n := 0
		for _, servers := range []map[string][]string{c.kdcs, c.kpasswd, c.admin} {
			for _, list := range servers {
				n += len(list)
				for _, s := range list {
					if host, _, err := net.SplitHostPort(address(s, kdcPort)); err == nil && host == "" {
						t.Errorf("%q is this machine", s)
					}
				}
				if slices.Contains(hosts(list), "") {
					t.Errorf("one of %q is this machine", list)
				}
			}
		}
		if n > 1+strings.Count(text, "\n") || c.udpLimit < 0 || c.udpLimit > 32700 {
			t.Errorf("%d servers, limit %d", n, c.udpLimit)
		}
	})
}
