package pac

import (
	"encoding/binary"
	"strings"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// upnExtended is the flag of a UPN_DNS_INFO that has the account's name and SID,
// too, MS-PAC §2.10.
const upnExtended = 2

// upnInfo is a UPN_DNS_INFO, MS-PAC §2.10, without the name of the DNS domain.
type upnInfo struct {
	upn     string
	account string // sAMAccountName; empty where the form is not the extended one
	sid     string // likewise
}

func parseUPN(b []byte) (u upnInfo, err error) {
	if len(b) < 12 {
		return u, badUPN("is too short")
	}
	text := part(b, 0)
	if u.upn = utf16String(text); text == nil || u.upn != "" && wire.CheckName(u.upn) != nil {
		return u, badUPN("has no readable name")
	}
	if binary.LittleEndian.Uint32(b[8:])&upnExtended == 0 {
		return u, nil
	}
	if len(b) < 20 {
		return u, badUPN("is too short")
	}
	u.account = utf16String(part(b, 12))
	var ok bool
	if u.sid, ok = parseSID(part(b, 16)); !ok || wire.CheckName(u.account) != nil {
		return u, badUPN("has no readable account")
	}
	return u, nil
}

func badUPN(what string) error { return reason.Refuse(reason.PAC, "UPN_DNS_INFO "+what) }

// part is what a length and an offset at b[at:] point to; nil if it is not in b.
func part(b []byte, at int) []byte {
	size, offset := int(binary.LittleEndian.Uint16(b[at:])), int(binary.LittleEndian.Uint16(b[at+2:]))
	if offset+size > len(b) {
		return nil
	}
	return b[offset : offset+size]
}

// addUPN takes the userPrincipalName from a UPN_DNS_INFO, which must be about the
// account of the logon information.
func (p *PAC) addUPN(b []byte) error {
	u, err := parseUPN(b)
	if err != nil {
		return err
	}
	if u.sid != "" && (u.sid != p.SID || !strings.EqualFold(u.account, p.Account)) {
		return badUPN("is about " + reason.Short(u.account) + " " + u.sid + ", the logon information about " + reason.Short(p.Account) + " " + p.SID)
	}
	p.UPN = u.upn
	return nil
}
