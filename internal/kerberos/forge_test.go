package kerberos

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/jcmturner/gokrb5/v8/keytab"

	"idp/internal/kerberos/krbtest"
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
	kt := keytab.New()
	for _, e := range etypes {
		must(t, kt.AddEntry(spn, ourRealm, password, time.Unix(1_700_000_000, 0), kvno, e))
	}
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
	key          keyBlock // seals the ticket
	kvno         uint32
	ticketEtype  int32 // as written; 0: the key's
	sname        Principal
	srealm       string
	client       Principal // in the ticket
	authClient   Principal // in the authenticator
	session      keyBlock
	flags        uint32
	transited    string
	authTime     time.Time
	start, end   time.Time
	ctime        time.Time
	authData     []byte
	sum          []byte // of the authenticator
	subkey       keyBlock
	ticketCipher []byte // instead of the real one
	authCipher   []byte
}

// forge starts from a ticket that is in order.
func forge(a *Acceptor, etype int32) *forged {
	now := a.opts.Now().Truncate(time.Second)
	f := &forged{
		kvno: ourKVNO, sname: Principal{Components: []string{"HTTP", "idp.localhost"}, NameType: 2}, srealm: ourRealm,
		client:   Principal{Components: []string{"alice"}, Realm: ourRealm, NameType: 1},
		authTime: now.Add(-time.Hour), start: now.Add(-time.Minute), end: now.Add(time.Hour), ctime: now,
		sum: krbtest.Checksum(make([]byte, 16)),
	}
	f.authClient = f.client
	for _, k := range a.ring.Load().keys {
		if k.block.etype == etype {
			f.key = k.block
		}
	}
	f.session = keyBlock{etype, bytes.Repeat([]byte{7}, len(f.key.value))}
	return f
}

func derName(p Principal) []byte {
	var list []byte
	for _, c := range p.Components {
		list = appendTLV(list, tagString, []byte(c))
	}
	return tlv(tagSequence, tlv(contextTag(0), derInt(int64(p.NameType))), tlv(contextTag(1), tlv(tagSequence, list)))
}

func derKey(k keyBlock) []byte {
	return tlv(tagSequence, tlv(contextTag(0), derInt(int64(k.etype))), tlv(contextTag(1), tlv(tagOctetString, k.value)))
}

func derFlags(v uint32) []byte {
	return tlv(tagBitString, binary.BigEndian.AppendUint32([]byte{0}, v))
}

func derSealed(etype int32, kvno uint32, cipher []byte) []byte {
	body := tlv(contextTag(0), derInt(int64(etype)))
	if kvno != 0 {
		body = appendTLV(body, contextTag(1), derInt(int64(kvno)))
	}
	return tlv(tagSequence, appendTLV(body, contextTag(2), tlv(tagOctetString, cipher)))
}

func (f *forged) ticketPart() []byte {
	b := tlv(contextTag(0), derFlags(f.flags))
	b = appendTLV(b, contextTag(1), derKey(f.session))
	b = appendTLV(b, contextTag(2), tlv(tagString, []byte(f.client.Realm)))
	b = appendTLV(b, contextTag(3), derName(f.client))
	b = appendTLV(b, contextTag(4), tlv(tagSequence, tlv(contextTag(0), derInt(1)), tlv(contextTag(1), tlv(tagOctetString, []byte(f.transited)))))
	b = appendTLV(b, contextTag(5), derTime(f.authTime))
	b = appendTLV(b, contextTag(6), derTime(f.start))
	b = appendTLV(b, contextTag(7), derTime(f.end))
	if f.authData != nil {
		b = appendTLV(b, contextTag(10), f.authData)
	}
	return tlv(appEncTicketPart, tlv(tagSequence, b))
}

func (f *forged) authenticator() []byte {
	b := tlv(contextTag(0), derInt(5))
	b = appendTLV(b, contextTag(1), tlv(tagString, []byte(f.authClient.Realm)))
	b = appendTLV(b, contextTag(2), derName(f.authClient))
	if f.sum != nil {
		b = appendTLV(b, contextTag(3), tlv(tagSequence, tlv(contextTag(0), derInt(gssChecksum)), tlv(contextTag(1), tlv(tagOctetString, f.sum))))
	}
	b = appendTLV(b, contextTag(4), derInt(int64(f.ctime.Nanosecond()/1000)))
	b = appendTLV(b, contextTag(5), derTime(f.ctime))
	if f.subkey.etype != 0 {
		b = appendTLV(b, contextTag(6), derKey(f.subkey))
	}
	b = appendTLV(b, contextTag(7), derInt(4711))
	return tlv(appAuthenticator, tlv(tagSequence, b))
}

func sealWith(t testing.TB, k keyBlock, usage uint32, plain []byte) []byte {
	t.Helper()
	key, err := newSealKey(k, usage)
	must(t, err)
	ct, err := key.seal(plain)
	must(t, err)
	return ct
}

// apReq is the AP-REQ; every call makes new ciphertexts.
func (f *forged) apReq(t testing.TB) []byte {
	t.Helper()
	if f.ticketCipher == nil {
		f.ticketCipher = sealWith(t, f.key, usageTicket, f.ticketPart())
	}
	authCipher := f.authCipher
	if authCipher == nil {
		authCipher = sealWith(t, f.session, usageAuthenticator, f.authenticator())
	}
	etype := f.ticketEtype
	if etype == 0 {
		etype = f.key.etype
	}
	tkt := tlv(contextTag(0), derInt(5))
	tkt = appendTLV(tkt, contextTag(1), tlv(tagString, []byte(f.srealm)))
	tkt = appendTLV(tkt, contextTag(2), derName(f.sname))
	tkt = appendTLV(tkt, contextTag(3), derSealed(etype, f.kvno, f.ticketCipher))
	b := tlv(contextTag(0), derInt(5))
	b = appendTLV(b, contextTag(1), derInt(14))
	b = appendTLV(b, contextTag(2), derFlags(0x20000000))
	b = appendTLV(b, contextTag(3), tlv(appTicket, tlv(tagSequence, tkt)))
	b = appendTLV(b, contextTag(4), derSealed(f.session.etype, 0, authCipher))
	return tlv(appAPReq, tlv(tagSequence, b))
}

func (f *forged) token(t testing.TB) []byte {
	t.Helper()
	return krbtest.SPNEGO(krbtest.Frame(f.apReq(t)))
}

// adElement is one element of authorization data.
func adElement(kind int64, data []byte) []byte {
	return tlv(tagSequence, tlv(contextTag(0), derInt(kind)), tlv(contextTag(1), tlv(tagOctetString, data)))
}

// withPAC is authorization data as KDCs write it.
func withPAC(pac []byte) []byte {
	return tlv(tagSequence, adElement(adIfRelevant, tlv(tagSequence, adElement(adPAC, pac))))
}

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
	kind, sum, err := checksum(f.key, usagePAC, nil)
	must(t, err)
	empty := append(binary.LittleEndian.AppendUint32(nil, uint32(kind)), make([]byte, len(sum))...)
	all := append([]pacBuffer{{pacServerSum, empty}, {pacKDCSum, empty}}, buffers...)
	b := makePAC(all...)
	_, sum, err = checksum(f.key, usagePAC, b)
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
	return pacBuffer{pacClientInfo, b}
}
