package kerberos

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf16"

	gokrb5 "github.com/jcmturner/gokrb5/v8/keytab"

	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
)

// The tests of attacks make tickets themselves, with the service's key: so that
// everything in them can be wrong.

const (
	ourRealm = "EXAMPLE.TEST"
	ourSPN   = "HTTP/idp.localhost"
	ourKVNO  = 3
)

var allEtypes = []int32{17, 18, 19, 20, 23}

// writeKeytab writes a keytab with keys of the given encryption types.
func writeKeytab(t testing.TB, path, spn, password string, kvno uint8, etypes ...int32) {
	t.Helper()
	kt := gokrb5.New()
	for _, e := range etypes {
		must(t, kt.AddEntry(spn, ourRealm, password, time.Unix(1_700_000_000, 0), kvno, e))
	}
	saveKeytab(t, path, kt)
}

// writeKeytabOf writes a keytab with one key of our service in another realm, the
// one that our own realm makes of this password.
func writeKeytabOf(t testing.TB, path, realm, password string) string {
	t.Helper()
	kt := gokrb5.New()
	must(t, kt.AddEntry(ourSPN, ourRealm, password, time.Unix(1_700_000_000, 0), ourKVNO, 18))
	kt.Entries[0].Principal.Realm = realm
	saveKeytab(t, path, kt)
	return path
}

func saveKeytab(t testing.TB, path string, kt *gokrb5.Keytab) {
	t.Helper()
	b, err := kt.Marshal()
	must(t, err)
	must(t, os.WriteFile(path+".new", b, 0o600))
	must(t, os.Rename(path+".new", path))
}

// forgeAcceptor is an acceptor without KDC, whose keytab has every etype.
func forgeAcceptor(t testing.TB, change func(*Options)) *Acceptor {
	t.Helper()
	dir := t.TempDir()
	kt := filepath.Join(dir, "http.keytab")
	writeKeytab(t, kt, ourSPN, "service-password", ourKVNO, allEtypes...)
	r := &krbtest.Realm{Name: ourRealm, Keytab: kt, Krb5Conf: filepath.Join(dir, "krb5.conf")}
	return newAcceptor(t, r, change)
}

// forged is a ticket and an AP-REQ, all of whose parts can be changed.
type forged struct {
	key          wire.Key // seals the ticket
	kvno         uint32
	ticketEtype  int32 // as written; 0: the key's
	sname        wire.Principal
	srealm       string
	client       wire.Principal // in the ticket
	authClient   wire.Principal // in the authenticator
	session      wire.Key
	flags        uint32
	transited    string
	authTime     time.Time
	start, end   time.Time
	ctime        time.Time
	authData     []byte
	sum          []byte // of the authenticator
	subkey       wire.Key
	ticketCipher []byte // instead of the real one
	authCipher   []byte
}

// forge starts from a ticket that is in order.
func forge(a *Acceptor, etype int32) *forged {
	now := a.opts.Now().Truncate(time.Second)
	f := &forged{
		kvno: ourKVNO, sname: wire.Principal{Components: []string{"HTTP", "idp.localhost"}, NameType: 2}, srealm: ourRealm,
		client:   wire.Principal{Components: []string{"alice"}, Realm: ourRealm, NameType: 1},
		authTime: now.Add(-time.Hour), start: now.Add(-time.Minute), end: now.Add(time.Hour), ctime: now,
		sum: krbtest.Checksum(make([]byte, 16)),
	}
	f.authClient = f.client
	for _, k := range a.keytabs.Ring() {
		if k.Secret.Etype == etype {
			f.key = k.Secret
		}
	}
	f.session = wire.Key{Etype: etype, Value: bytes.Repeat([]byte{7}, len(f.key.Value))}
	return f
}

func derName(p wire.Principal) []byte {
	var list []byte
	for _, c := range p.Components {
		list = wire.AppendTLV(list, wire.TagString, []byte(c))
	}
	return wire.TLV(wire.TagSequence, wire.TLV(wire.Context(0), wire.Int(int64(p.NameType))), wire.TLV(wire.Context(1), wire.TLV(wire.TagSequence, list)))
}

func derKey(k wire.Key) []byte {
	return wire.TLV(wire.TagSequence, wire.TLV(wire.Context(0), wire.Int(int64(k.Etype))), wire.TLV(wire.Context(1), wire.TLV(wire.TagOctetString, k.Value)))
}

func derFlags(v uint32) []byte {
	return wire.TLV(wire.TagBitString, binary.BigEndian.AppendUint32([]byte{0}, v))
}

func derSealed(etype int32, kvno uint32, cipher []byte) []byte {
	body := wire.TLV(wire.Context(0), wire.Int(int64(etype)))
	if kvno != 0 {
		body = wire.AppendTLV(body, wire.Context(1), wire.Int(int64(kvno)))
	}
	return wire.TLV(wire.TagSequence, wire.AppendTLV(body, wire.Context(2), wire.TLV(wire.TagOctetString, cipher)))
}

func (f *forged) ticketPart() []byte {
	b := wire.TLV(wire.Context(0), derFlags(f.flags))
	b = wire.AppendTLV(b, wire.Context(1), derKey(f.session))
	b = wire.AppendTLV(b, wire.Context(2), wire.TLV(wire.TagString, []byte(f.client.Realm)))
	b = wire.AppendTLV(b, wire.Context(3), derName(f.client))
	b = wire.AppendTLV(b, wire.Context(4), wire.TLV(wire.TagSequence, wire.TLV(wire.Context(0), wire.Int(1)), wire.TLV(wire.Context(1), wire.TLV(wire.TagOctetString, []byte(f.transited)))))
	b = wire.AppendTLV(b, wire.Context(5), wire.Time(f.authTime))
	b = wire.AppendTLV(b, wire.Context(6), wire.Time(f.start))
	b = wire.AppendTLV(b, wire.Context(7), wire.Time(f.end))
	if f.authData != nil {
		b = wire.AppendTLV(b, wire.Context(10), f.authData)
	}
	return wire.TLV(wire.AppEncTicketPart, wire.TLV(wire.TagSequence, b))
}

func (f *forged) authenticator() []byte {
	b := wire.TLV(wire.Context(0), wire.Int(5))
	b = wire.AppendTLV(b, wire.Context(1), wire.TLV(wire.TagString, []byte(f.authClient.Realm)))
	b = wire.AppendTLV(b, wire.Context(2), derName(f.authClient))
	if f.sum != nil {
		b = wire.AppendTLV(b, wire.Context(3), wire.TLV(wire.TagSequence, wire.TLV(wire.Context(0), wire.Int(wire.GSSChecksum)), wire.TLV(wire.Context(1), wire.TLV(wire.TagOctetString, f.sum))))
	}
	b = wire.AppendTLV(b, wire.Context(4), wire.Int(int64(f.ctime.Nanosecond()/1000)))
	b = wire.AppendTLV(b, wire.Context(5), wire.Time(f.ctime))
	if f.subkey.Etype != 0 {
		b = wire.AppendTLV(b, wire.Context(6), derKey(f.subkey))
	}
	b = wire.AppendTLV(b, wire.Context(7), wire.Int(4711))
	return wire.TLV(wire.AppAuthenticator, wire.TLV(wire.TagSequence, b))
}

func sealWith(t testing.TB, k wire.Key, usage uint32, plain []byte) []byte {
	t.Helper()
	key, err := wire.NewSealKey(k, usage)
	must(t, err)
	ct, err := key.Seal(plain)
	must(t, err)
	return ct
}

// apReq is the AP-REQ; every call makes new ciphertexts.
func (f *forged) apReq(t testing.TB) []byte {
	t.Helper()
	if f.ticketCipher == nil {
		f.ticketCipher = sealWith(t, f.key, wire.UsageTicket, f.ticketPart())
	}
	authCipher := f.authCipher
	if authCipher == nil {
		authCipher = sealWith(t, f.session, wire.UsageAuthenticator, f.authenticator())
	}
	etype := f.ticketEtype
	if etype == 0 {
		etype = f.key.Etype
	}
	tkt := wire.TLV(wire.Context(0), wire.Int(5))
	tkt = wire.AppendTLV(tkt, wire.Context(1), wire.TLV(wire.TagString, []byte(f.srealm)))
	tkt = wire.AppendTLV(tkt, wire.Context(2), derName(f.sname))
	tkt = wire.AppendTLV(tkt, wire.Context(3), derSealed(etype, f.kvno, f.ticketCipher))
	b := wire.TLV(wire.Context(0), wire.Int(5))
	b = wire.AppendTLV(b, wire.Context(1), wire.Int(14))
	b = wire.AppendTLV(b, wire.Context(2), derFlags(0x20000000))
	b = wire.AppendTLV(b, wire.Context(3), wire.TLV(wire.AppTicket, wire.TLV(wire.TagSequence, tkt)))
	b = wire.AppendTLV(b, wire.Context(4), derSealed(f.session.Etype, 0, authCipher))
	return wire.TLV(wire.AppAPReq, wire.TLV(wire.TagSequence, b))
}

func (f *forged) token(t testing.TB) []byte {
	t.Helper()
	return krbtest.SPNEGO(krbtest.Frame(f.apReq(t)))
}

// adElement is one element of authorization data.
func adElement(kind int64, data []byte) []byte {
	return wire.TLV(wire.TagSequence, wire.TLV(wire.Context(0), wire.Int(kind)), wire.TLV(wire.Context(1), wire.TLV(wire.TagOctetString, data)))
}

// withPAC is authorization data as KDCs write it.
func withPAC(pac []byte) []byte {
	return wire.TLV(wire.TagSequence, adElement(wire.ADIfRelevant, wire.TLV(wire.TagSequence, adElement(wire.ADPAC, pac))))
}

// Types of PAC buffers, MS-PAC §2.4.
const (
	kindLogonInfo  = 1
	kindServerSum  = 6
	kindKDCSum     = 7
	kindClientInfo = 10
)

// pacBuffer is one buffer of a PAC to be made.
type pacBuffer struct {
	kind uint32
	data []byte
}

// makePAC writes a PAC without signatures in it yet; sign adds them.
func makePAC(buffers ...pacBuffer) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(buffers)))
	b = binary.LittleEndian.AppendUint32(b, 0)
	offset := uint64(8 + 16*len(buffers))
	var body []byte
	for _, x := range buffers {
		b = binary.LittleEndian.AppendUint32(b, x.kind)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(x.data)))
		b = binary.LittleEndian.AppendUint64(b, offset+uint64(len(body)))
		body = append(body, x.data...)
		for len(body)%8 != 0 {
			body = append(body, 0)
		}
	}
	return append(b, body...)
}

// signedPAC adds client information and both signatures to buffers.
func (f *forged) signedPAC(t testing.TB, buffers ...pacBuffer) []byte {
	t.Helper()
	kind, sum, err := wire.Checksum(f.key, wire.UsagePAC, nil)
	must(t, err)
	empty := append(binary.LittleEndian.AppendUint32(nil, uint32(kind)), make([]byte, len(sum))...)
	all := append([]pacBuffer{{kindServerSum, empty}, {kindKDCSum, empty}}, buffers...)
	b := makePAC(all...)
	_, sum, err = wire.Checksum(f.key, wire.UsagePAC, b)
	must(t, err)
	copy(b[8+16*len(all)+4:], sum)
	return b
}

// clientInfo is PAC_CLIENT_INFO.
func clientInfo(name string, at time.Time) pacBuffer {
	b := binary.LittleEndian.AppendUint64(nil, uint64(at.Unix()+11_644_473_600)*10_000_000)
	u := utf16.Encode([]rune(name))
	b = binary.LittleEndian.AppendUint16(b, uint16(2*len(u)))
	for _, c := range u {
		b = binary.LittleEndian.AppendUint16(b, c)
	}
	return pacBuffer{kindClientInfo, b}
}
