// Package pac reads the PAC that Windows domains put into tickets (MS-PAC): the
// user's SID, name and groups, signed by the domain controller with the key of the
// service and with one of its own.
//
// The signature of the service's key is checked before anything in it is parsed,
// for what it holds is NDR, a format full of counts and pointers (ndr.go). That key
// is ours, so whoever has it can write any PAC: it proves that no client changed it.
package pac

import (
	"crypto/hmac"
	"encoding/binary"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/jcmturner/gokrb5/v8/iana/chksumtype"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// PAC is what a Windows domain says about a user, MS-PAC §2.5. The domain
// controller of the user's own domain wrote it; controllers on the way filter
// SIDs that the domain may not claim.
type PAC struct {
	Account  string   // sAMAccountName
	UPN      string   // userPrincipalName, or account@domain where it has none; may be empty
	FullName string   // display name, may be empty
	Domain   string   // NetBIOS name of the account's domain
	SID      string   // S-1-5-21-…, the immutable key of the account
	Groups   []string // SIDs of enabled groups, nested ones already expanded
}

// Types of PAC buffers, MS-PAC §2.4.
const (
	bufLogonInfo  = 1
	bufServerSum  = 6
	bufKDCSum     = 7
	bufClientInfo = 10
	bufUPN        = 12

	maxBuffers = 32
)

// buffers are the buffers of a PAC by type, and where each starts.
type buffers struct {
	data   map[uint32][]byte
	offset map[uint32]int
}

// split reads the directory of a PAC, MS-PAC §2.3, §2.4: nothing in it is
// trusted yet, so this is all that is read before the signature.
func split(b []byte) (*buffers, error) {
	bad := func(what string) (*buffers, error) { return nil, reason.Refuse(reason.PAC, what) }
	if len(b) < 8 || binary.LittleEndian.Uint32(b[4:]) != 0 {
		return bad("header")
	}
	n := binary.LittleEndian.Uint32(b)
	if n == 0 || n > maxBuffers || len(b) < 8+16*int(n) {
		return bad("number of buffers")
	}
	p := &buffers{map[uint32][]byte{}, map[uint32]int{}}
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
func (p *buffers) signature(buffer uint32) (kind int32, sum []byte, err error) {
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

// verify checks the server signature with the key that opened the ticket:
// over the whole PAC with both signatures zero, MS-PAC §2.8.1. Its type must be
// the key's own, so that nobody can pick a weaker one.
func verify(b []byte, p *buffers, key wire.Key) error {
	kind, sum, err := p.signature(bufServerSum)
	if err != nil {
		return err
	}
	_, kdcSum, err := p.signature(bufKDCSum)
	if err != nil {
		return err
	}
	zeroed := append([]byte(nil), b...)
	clear(zeroed[p.offset[bufServerSum]+4:][:len(sum)])
	clear(zeroed[p.offset[bufKDCSum]+4:][:len(kdcSum)])
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

// Read verifies a ticket's PAC with the key that opened the ticket, compares it with
// the ticket's client and time of login, and returns what it says; nil without logon
// information. A refusal is a *reason.Error. Nothing but the directory is parsed
// before the signature holds.
func Read(b []byte, key wire.Key, client wire.Principal, authTime time.Time) (*PAC, error) {
	p, err := split(b)
	if err != nil {
		return nil, err
	}
	if err := verify(b, p, key); err != nil {
		return nil, err
	}
	if err := checkClientInfo(p.data[bufClientInfo], client, authTime); err != nil {
		return nil, err
	}
	info, ok := p.data[bufLogonInfo]
	if !ok {
		return nil, nil
	}
	found, err := parseLogonInfo(info)
	if err != nil {
		return nil, err
	}
	if upn, ok := p.data[bufUPN]; ok {
		if err := found.addUPN(upn); err != nil {
			return nil, err
		}
	}
	return found, checkAccount(found, client)
}

// checkAccount compares the account of the logon information with the client's
// name. Where they differ the client asked for its ticket by another name, such
// as a userPrincipalName, which is set by whoever may edit the account: it must
// not become a name here.
func checkAccount(found *PAC, client wire.Principal) error {
	if name := strings.Join(client.Components, "/"); !strings.EqualFold(found.Account, name) {
		return reason.Refuse(reason.NameMismatch, fmt.Sprintf("the account is %q, the ticket names it %q", reason.Short(found.Account), reason.Short(name)))
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
