package ticket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"
	"time"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// written is a cache of one entry, of version 3 or 4.
func written(client wire.Principal, e entry, third bool) []byte {
	b := []byte{5, 4, 0, 0}
	if third {
		b = []byte{5, 3}
	}
	return writtenEntry(writtenPrincipal(b, client), e, third)
}

func writtenData(b, v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(v))), v...)
}

func writtenPrincipal(b []byte, p wire.Principal) []byte {
	b = binary.BigEndian.AppendUint32(b, uint32(p.NameType))
	b = binary.BigEndian.AppendUint32(b, uint32(len(p.Components)))
	for _, name := range append([]string{p.Realm}, p.Components...) {
		b = writtenData(b, []byte(name))
	}
	return b
}

func writtenEntry(b []byte, e entry, third bool) []byte {
	u16, u32 := binary.BigEndian.AppendUint16, binary.BigEndian.AppendUint32
	b = writtenPrincipal(writtenPrincipal(b, e.client), e.server)
	b = u16(b, uint16(e.key.Etype))
	if third {
		b = u16(b, uint16(e.key.Etype))
	}
	b = writtenData(b, e.key.Value)
	b = u32(u32(u32(u32(b, 0), 0), uint32(e.end.Unix())), 0)
	b = u32(append(b, 0), e.flags)
	b = u32(u32(b, 0), 0)
	return writtenData(writtenData(b, e.ticket), nil)
}

// FuzzCache: the file is another program's, or somebody's who can write it. What is
// read of it is in it, and is read again from what we would write.
func FuzzCache(f *testing.F) {
	home := wire.Principal{Components: []string{"krbtgt", "EXAMPLE.TEST"}, Realm: "EXAMPLE.TEST", NameType: 2}
	e := entry{client: alice, server: home, key: wire.Key{Etype: 18, Value: make([]byte, 32)}, end: time.Unix(2_000_000_000, 0), ticket: []byte("ticket")}
	f.Add(written(alice, e, false))
	f.Add(written(alice, e, true))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseCache(b)
		if err != nil {
			if err != errCache { //nolint:errorlint // nothing may be wrapped around it
				t.Error(err)
			}
			return
		}
		got, err := c.tgt(time.Unix(1_000_000_000, 0))
		if err != nil {
			if len(err.Error()) > 16*1024 || errors.As(err, new(*reason.Error)) && reason.Of(err) != reason.Expired {
				t.Errorf("%.100v", err)
			}
			return
		}
		again, err := parseCache(written(c.client, got, b[1] == 3))
		if err != nil || len(again.entries) != 1 || !again.client.Equal(c.client) || !bytes.Contains(b, got.ticket) {
			t.Fatalf("%+v %v", again, err)
		}
		if e := again.entries[0]; !slices.Equal(e.key.Value, got.key.Value) || e.key.Etype != got.key.Etype || !e.end.Equal(got.end) || !bytes.Equal(e.ticket, got.ticket) {
			t.Errorf("%+v, written and read again %+v", got, e)
		}
	})
}
