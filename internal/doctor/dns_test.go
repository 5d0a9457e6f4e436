package doctor_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// zone is what a name server knows: "name TYPE" → values. A name with the value
// SERVFAIL is one whose server is broken.
type zone map[string][]string

// resolver asks a name server on loopback that knows the zone and nothing else.
func resolver(t *testing.T, z zone) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply, err := z.answer(buf[:n]); err == nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func (z zone) answer(query []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil {
		return nil, err
	}
	q := m.Questions[0]
	m.Response, m.Authoritative, m.Additionals = true, true, nil
	name := strings.ToLower(strings.TrimSuffix(q.Name.String(), "."))
	var known bool
	for steps := 0; steps < 8; steps++ {
		m.RCode = dnsmessage.RCodeSuccess
		cname := z[name+" CNAME"]
		if len(cname) == 0 {
			break
		}
		m.Answers = append(m.Answers, record(name, &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName(cname[0] + ".")}))
		name, known = cname[0], true
	}
	for _, kind := range []string{"A", "AAAA", "PTR", "SERVFAIL"} {
		values, has := z[name+" "+kind]
		known = known || has
		if kind == "SERVFAIL" && has {
			m.RCode = dnsmessage.RCodeServerFailure
		}
		for _, v := range values {
			if r := resource(kind, v); r != nil && "Type"+kind == q.Type.String() {
				m.Answers = append(m.Answers, record(name, r))
			}
		}
	}
	if !known {
		m.RCode = dnsmessage.RCodeNameError
	}
	return m.Pack()
}

func resource(kind, value string) dnsmessage.ResourceBody {
	switch kind {
	case "A":
		return &dnsmessage.AResource{A: netip.MustParseAddr(value).As4()}
	case "AAAA":
		return &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr(value).As16()}
	case "PTR":
		return &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(value + ".")}
	}
	return nil
}

func record(name string, body dnsmessage.ResourceBody) dnsmessage.Resource {
	return dnsmessage.Resource{Header: dnsmessage.ResourceHeader{Name: dnsmessage.MustNewName(name + "."), Class: dnsmessage.ClassINET, TTL: 60}, Body: body}
}
