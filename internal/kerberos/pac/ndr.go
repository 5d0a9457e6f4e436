package pac

import (
	"encoding/binary"
	"strconv"

	"idp/internal/reason"
)

// ndr reads the little-endian NDR (C706 chapter 14) of a PAC buffer. Like a
// wire.Decoder it sticks to its first mistake; every count is checked against the
// bytes that are left before anything is allocated for it.
type ndr struct {
	b   []byte
	pos int
	err error
}

func (n *ndr) fail() { n.err = reason.Refuse(reason.PAC, "logon information is not readable") }

func (n *ndr) take(size int) []byte {
	if n.err != nil || size < 0 || size > len(n.b)-n.pos {
		n.fail()
		return make([]byte, min(max(size, 0), 64)) // every fixed field is shorter
	}
	out := n.b[n.pos : n.pos+size]
	n.pos += size
	return out
}

func (n *ndr) skip(size int) { n.take(size) }

func (n *ndr) u32() uint32 {
	n.align()
	return binary.LittleEndian.Uint32(n.take(4))
}

func (n *ndr) u16() uint16 { return binary.LittleEndian.Uint16(n.take(2)) }

func (n *ndr) align() {
	if r := n.pos % 4; r != 0 {
		n.skip(4 - r)
	}
}

// count reads the element count of an array of at least size bytes an element.
func (n *ndr) count(size int) int {
	c := n.u32()
	if n.err != nil || uint64(c)*uint64(size) > uint64(len(n.b)-n.pos) { //nolint:gosec // small and positive
		n.fail()
		return 0
	}
	return int(c)
}

// unicode16 is an RPC_UNICODE_STRING whose text follows later.
type unicode16 struct {
	length  uint16 // bytes
	pointer bool
}

func (n *ndr) unicode() (u unicode16) {
	n.align()
	u.length = n.u16()
	n.skip(2) // MaximumLength
	u.pointer = n.u32() != 0
	return u
}

// text reads the text of u where its turn has come.
func (n *ndr) text(u unicode16) string {
	if !u.pointer {
		return ""
	}
	n.u32() // maximum count
	offset := n.u32()
	c := n.count(2)
	if offset != 0 || c*2 < int(u.length) {
		n.fail()
		return ""
	}
	b := n.take(c * 2)
	n.align()
	if n.err != nil {
		return ""
	}
	return utf16String(b[:u.length&^1])
}

// sid reads an RPC_SID, MS-DTYP §2.4.2.3: a SID with its count in front, too.
func (n *ndr) sid() string {
	c := n.count(4)
	b := n.take(8 + 4*c)
	if n.err != nil {
		return ""
	}
	sid, ok := parseSID(b)
	if !ok {
		n.fail()
	}
	return sid
}

// parseSID reads a SID, MS-DTYP §2.4.2.2, as which b must be whole.
func parseSID(b []byte) (sid string, ok bool) {
	if len(b) < 8 || b[0] != 1 || b[1] > 15 || len(b) != 8+4*int(b[1]) {
		return "", false
	}
	authority := uint64(binary.BigEndian.Uint16(b[2:]))<<32 | uint64(binary.BigEndian.Uint32(b[4:]))
	sid = "S-1-" + strconv.FormatUint(authority, 10)
	for b = b[8:]; len(b) > 0; b = b[4:] {
		sid = join(sid, binary.LittleEndian.Uint32(b))
	}
	return sid, true
}

// Attributes of a group, MS-PAC §2.2.1.
const (
	groupEnabled  = 0x04
	groupDenyOnly = 0x10
)

func groupCounts(attributes uint32) bool {
	return attributes&groupEnabled != 0 && attributes&groupDenyOnly == 0
}

// rids reads an array of GROUP_MEMBERSHIP and returns those that count.
func (n *ndr) rids(want uint32) (out []uint32) {
	c := n.count(8)
	if uint32(c) != want { //nolint:gosec // bounded by count
		n.fail()
		return nil
	}
	for range c {
		rid := n.u32()
		if groupCounts(n.u32()) {
			out = append(out, rid)
		}
	}
	return out
}

// sids reads an array of KERB_SID_AND_ATTRIBUTES.
func (n *ndr) sids(want uint32) (out []string) {
	c := n.count(8)
	if uint32(c) != want { //nolint:gosec // bounded by count
		n.fail()
		return nil
	}
	type entry struct{ pointer, counts bool }
	entries := make([]entry, c)
	for i := range entries {
		entries[i].pointer = n.u32() != 0
		entries[i].counts = groupCounts(n.u32())
	}
	for _, e := range entries {
		if !e.pointer || n.err != nil {
			continue
		}
		if sid := n.sid(); e.counts {
			out = append(out, sid)
		}
	}
	return out
}
