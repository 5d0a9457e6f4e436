package kerberos

import (
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"

	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"
)

// PAC is what a Windows domain says about a user, MS-PAC §2.5. The domain
// controller of the user's own domain wrote it; controllers on the way filter
// SIDs that the domain may not claim.
type PAC struct {
	Account  string   // sAMAccountName
	FullName string   // display name, may be empty
	Domain   string   // NetBIOS name of the account's domain
	SID      string   // S-1-5-21-…, the immutable key of the account
	Groups   []string // SIDs of enabled groups, nested ones already expanded
}

// Types of PAC buffers, MS-PAC §2.4.
const (
	pacLogonInfo  = 1
	pacServerSum  = 6
	pacKDCSum     = 7
	pacClientInfo = 10

	maxPACBuffers = 32
)

// pacBuffers are the buffers of a PAC by type, and where each starts.
type pacBuffers struct {
	data   map[uint32][]byte
	offset map[uint32]int
}

// splitPAC reads the directory of a PAC, MS-PAC §2.3, §2.4: nothing in it is
// trusted yet, so this is all that is read before the signature.
func splitPAC(b []byte) (*pacBuffers, error) {
	bad := func(what string) (*pacBuffers, error) { return nil, reason.Refuse(reason.PAC, what) }
	if len(b) < 8 || binary.LittleEndian.Uint32(b[4:]) != 0 {
		return bad("header")
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > maxPACBuffers || len(b) < 8+16*int(n) {
		return bad("number of buffers")
	}
	p := &pacBuffers{map[uint32][]byte{}, map[uint32]int{}}
	for i := range int(n) {
		e := b[8+16*i:]
		kind, size := binary.LittleEndian.Uint32(e), uint64(binary.LittleEndian.Uint32(e[4:]))
		offset := binary.LittleEndian.Uint64(e[8:])
		if offset < 8+16*uint64(n) || offset > uint64(len(b)) || size > uint64(len(b))-offset {
			return bad("a buffer outside the PAC")
		}
		if _, twice := p.data[kind]; twice {
			return bad("a buffer twice")
		}
		p.data[kind] = b[offset : offset+size : offset+size]
		p.offset[kind] = int(offset) //nolint:gosec // at most len(b)
	}
	return p, nil
}

// sumSize is the length of a signature of this type, MS-PAC §2.8.
func sumSize(kind int32) (int, bool) {
	switch kind {
	case chksumtype.HMAC_SHA1_96_AES128, chksumtype.HMAC_SHA1_96_AES256:
		return 12, true
	case chksumtype.HMAC_SHA256_128_AES128, chksumtype.KERB_CHECKSUM_HMAC_MD5:
		return 16, true
	case chksumtype.HMAC_SHA384_192_AES256:
		return 24, true
	}
	return 0, false
}

// signature reads a PAC_SIGNATURE_DATA, MS-PAC §2.8.
func (p *pacBuffers) signature(buffer uint32) (kind int32, sum []byte, err error) {
	b, ok := p.data[buffer]
	if !ok || len(b) < 4 {
		return 0, nil, reason.Refuse(reason.PACSignature, "a signature is missing")
	}
	kind = int32(binary.LittleEndian.Uint32(b)) //nolint:gosec // -138 is one of the types
	n, ok := sumSize(kind)
	if !ok || len(b) < 4+n {
		return 0, nil, reason.Refuse(reason.PACSignature, fmt.Sprintf("signature type %d", kind))
	}
	return kind, b[4 : 4+n], nil
}

// verifyPAC checks the server signature with the key that opened the ticket:
// over the whole PAC with both signatures zero, MS-PAC §2.8.1. Its type must be
// the key's own, so that nobody can pick a weaker one.
func verifyPAC(b []byte, p *pacBuffers, key wire.Key) error {
	kind, sum, err := p.signature(pacServerSum)
	if err != nil {
		return err
	}
	_, kdcSum, err := p.signature(pacKDCSum)
	if err != nil {
		return err
	}
	zeroed := append([]byte(nil), b...)
	clear(zeroed[p.offset[pacServerSum]+4:][:len(sum)])
	clear(zeroed[p.offset[pacKDCSum]+4:][:len(kdcSum)])
	wantKind, want, err := wire.Checksum(key, wire.UsagePAC, zeroed)
	switch {
	case err != nil:
		return &reason.Error{Reason: reason.PACSignature, Err: err}
	case wantKind != kind:
		return reason.Refuse(reason.PACSignature, fmt.Sprintf("signature type %d under a key of %s", kind, wire.EtypeName(key.Etype)))
	case !hmac.Equal(want, sum):
		return reason.Refuse(reason.PACSignature, "the server signature does not fit")
	}
	return nil
}

// readPAC verifies a ticket's PAC and returns what it says; nil without logon
// information. Nothing but the directory is parsed before the signature holds.
func readPAC(b []byte, key wire.Key, client wire.Principal, authTime time.Time) (*PAC, error) {
	p, err := splitPAC(b)
	if err != nil {
		return nil, err
	}
	if err := verifyPAC(b, p, key); err != nil {
		return nil, err
	}
	if err := checkClientInfo(p.data[pacClientInfo], client, authTime); err != nil {
		return nil, err
	}
	info, ok := p.data[pacLogonInfo]
	if !ok {
		return nil, nil
	}
	pac, err := parseLogonInfo(info)
	if err != nil {
		return nil, err
	}
	return pac, checkAccount(pac, client)
}

// checkAccount compares the account of the logon information with the client's
// name. Where they differ the client asked for its ticket by another name, such
// as a userPrincipalName, which is set by whoever may edit the account: it must
// not become a name here.
func checkAccount(pac *PAC, client wire.Principal) error {
	if name := strings.Join(client.Components, "/"); !strings.EqualFold(pac.Account, name) {
		return reason.Refuse(reason.NameMismatch, fmt.Sprintf("the account is %q, the ticket names it %q", reason.Short(pac.Account), reason.Short(name)))
	}
	return nil
}

// checkClientInfo compares PAC_CLIENT_INFO (MS-PAC §2.7) with the ticket, so
// that a PAC cannot be moved from one ticket into another.
func checkClientInfo(b []byte, client wire.Principal, authTime time.Time) error {
	if len(b) < 10 {
		return reason.Refuse(reason.PAC, "no PAC_CLIENT_INFO")
	}
	n := int(binary.LittleEndian.Uint16(b[8:]))
	if n%2 != 0 || len(b) < 10+n {
		return reason.Refuse(reason.PAC, "PAC_CLIENT_INFO")
	}
	name := utf16String(b[10 : 10+n])
	if want := strings.Join(client.Components, "/"); name != want {
		return reason.Refuse(reason.PAC, fmt.Sprintf("the PAC is about %q, the ticket about %q", reason.Short(name), reason.Short(want)))
	}
	if at := fromFileTime(binary.LittleEndian.Uint64(b)); !at.Equal(authTime) {
		return reason.Refuse(reason.PAC, "the PAC is of another login than the ticket")
	}
	return nil
}

// fromFileTime reads 100 ns since 1601, cut to whole seconds as tickets are.
func fromFileTime(ft uint64) time.Time {
	const epoch = 11_644_473_600                          // seconds from 1601 to 1970
	return time.Unix(int64(ft/10_000_000)-epoch, 0).UTC() //nolint:gosec // at most 2^64/10^7
}

func utf16String(b []byte) string {
	u := make([]uint16, len(b)/2)
	for i := range u {
		u[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return string(utf16.Decode(u))
}
