package pac

import (
	"strconv"

	"idp/internal/kerberos/wire"
)

// parseLogonInfo reads KERB_VALIDATION_INFO, MS-PAC §2.5, after the headers of
// type serialization 1, MS-RPCE §2.2.6.
func parseLogonInfo(b []byte) (*PAC, error) {
	n := &ndr{b: b}
	if head := n.take(16); head[0] != 1 || head[1] != 0x10 {
		n.fail() // version 1, little endian
	}
	n.u32()                // pointer to the structure
	n.skip(48)             // six times
	var names [6]unicode16 // EffectiveName, FullName, script, profile, home, drive
	for i := range names {
		names[i] = n.unicode()
	}
	n.skip(4) // LogonCount, BadPasswordCount
	user, primary, groupCount, groups := n.u32(), n.u32(), n.u32(), n.u32()
	n.skip(4 + 16) // UserFlags, UserSessionKey
	server, domain, domainSID := n.unicode(), n.unicode(), n.u32()
	n.skip(8 + 4 + 4 + 8 + 8 + 4 + 4) // Reserved1 … Reserved3
	extraCount, extra := n.u32(), n.u32()
	resourceSID, resourceCount, resources := n.u32(), n.u32(), n.u32()

	// What the pointers point to follows in the order of the pointers.
	p := &PAC{Account: n.text(names[0]), FullName: shown(n.text(names[1]))}
	for _, u := range names[2:] {
		n.text(u)
	}
	rids := []uint32{primary}
	if groups != 0 {
		rids = append(rids, n.rids(groupCount)...)
	}
	n.text(server)
	p.Domain = shown(n.text(domain))
	if domainSID == 0 {
		n.fail()
	}
	base := n.sid()
	p.SID = join(base, user)
	for i, rid := range rids {
		// The primary group usually comes again among the groups.
		if i == 0 || rid != primary {
			p.Groups = append(p.Groups, join(base, rid))
		}
	}
	if extra != 0 {
		p.Groups = append(p.Groups, n.sids(extraCount)...)
	}
	p.Groups = append(p.Groups, n.resourceGroups(resourceSID, resourceCount, resources)...)
	if n.err == nil && (wire.CheckName(p.Account) != nil || user == 0) {
		n.fail()
	}
	if n.err != nil {
		return nil, n.err
	}
	return p, nil
}

// shown is a text that is only ever shown; one that could not be stored or would
// break a line is none, and no reason to refuse anybody.
func shown(s string) string {
	if wire.CheckName(s) != nil {
		return ""
	}
	return s
}

// resourceGroups reads the domain-local groups, whose SIDs are compressed.
func (n *ndr) resourceGroups(base, count, pointer uint32) (out []string) {
	if base == 0 {
		if pointer != 0 {
			n.fail()
		}
		return nil
	}
	domain := n.sid()
	if pointer == 0 {
		return nil
	}
	for _, rid := range n.rids(count) {
		out = append(out, join(domain, rid))
	}
	return out
}

func join(base string, rid uint32) string {
	return base + "-" + strconv.FormatUint(uint64(rid), 10)
}
