package directory

import (
	"errors"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// values are those that a filter compares with, as a server reads them, and shape is
// all the rest of it.
func values(p *ber.Packet, shape *strings.Builder) (found []string) {
	shape.WriteByte(byte(p.Tag))
	if p.ClassType == ber.ClassContext && p.Tag == ldap.FilterEqualityMatch && len(p.Children) == 2 {
		shape.WriteString(ber.DecodeString(p.Children[0].Data.Bytes()))
		return []string{ber.DecodeString(p.Children[1].Data.Bytes())}
	}
	for _, c := range p.Children {
		found = append(found, values(c, shape)...)
	}
	return found
}

// FuzzAccountFilter: whatever a ticket says, the filter has the same shape, and
// compares with exactly that.
func FuzzAccountFilter(f *testing.F) {
	for _, s := range []string{"alice", "*", "a)(uid=*", "\x00", `\2a`, "ä", "a b", strings.Repeat("x", 257), "(|(a=b))"} {
		f.Add(s, "EXAMPLE.TEST", "")
		f.Add("alice", s, s)
	}
	readers := []reader{newReader(Config{Type: typeLDAP}), newReader(Config{Type: typeAD})}
	f.Fuzz(func(t *testing.T, name, realm, sid string) {
		for _, r := range readers {
			a := Account{Realm: realm, Name: name, SID: sid}
			filter, ok := r.accountFilter(a)
			if !ok {
				continue
			}
			want := []string{name, name + "@" + realm}
			plain := Account{Realm: "R", Name: "n"}
			if sid != "" {
				want, plain.SID = []string{sid}, "S-1"
			}
			var got, shape strings.Builder
			base, _ := r.accountFilter(plain)
			ofPlain := values(compiled(t, base), &shape)
			people := len(ofPlain) - len(want)
			found := values(compiled(t, filter), &got)
			if got.String() != shape.String() || len(found) != len(ofPlain) || strings.Join(found[people:], "\n") != strings.Join(want, "\n") {
				t.Errorf("%q: compares with %q, want %q", filter, found, want)
			}
		}
	})
}

func compiled(t *testing.T, filter string) *ber.Packet {
	t.Helper()
	p, err := ldap.CompileFilter(filter)
	if err != nil {
		t.Fatalf("%q: %v", filter, err)
	}
	return p
}

// FuzzSID: what is no SID has no text, and none breaks the reader.
func FuzzSID(f *testing.F) {
	f.Add([]byte{1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0x50, 4, 0, 0})
	f.Add([]byte{1, 255})
	f.Fuzz(func(t *testing.T, b []byte) {
		text := sidText(b)
		if (text != "") != (len(b) >= 8 && len(b) == 8+4*int(b[1])) {
			t.Errorf("%x: %q", b, text)
		}
	})
}

func TestSIDText(t *testing.T) {
	if got := sidText([]byte{1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 0x50, 4, 0, 0}); got != "S-1-5-21-1-2-3-1104" {
		t.Error(got)
	}
}

// TestAnswersAreBounded in number.
func TestAnswersAreBounded(t *testing.T) {
	var c answers
	now := time.Unix(1, 0)
	for i := range keptMost + 10 {
		c.put(Account{Name: strings.Repeat("x", i%7) + string(rune(i))}, nil, ErrAbsent, now, keptBad)
	}
	if len(c.kept) > keptMost || len(c.kept) < keptMost/2 {
		t.Errorf("%d are kept", len(c.kept))
	}
}

func TestProblemsOfTheSection(t *testing.T) {
	good := Config{URL: "ldaps://dc1.example.com ldap://dc2.example.com:1389", Type: "ad", BindDN: "idp@example.com", PasswordFile: "p", Base: "dc=example,dc=com"}
	if p := good.Problems(); len(p) > 0 {
		t.Fatalf("%+v", p)
	}
	if p := (&Config{}).Problems(); len(p) > 0 {
		t.Fatalf("no section: %+v", p)
	}
	for want, change := range map[string]func(*Config){
		"url ldaps":        func(c *Config) { c.URL = "https://dc1" },
		"url http":         func(c *Config) { c.URL = "ldap://" },
		"url path":         func(c *Config) { c.URL = "ldaps://dc1/dc=example" },
		"url user":         func(c *Config) { c.URL = "ldaps://a:b@dc1" },
		"url none":         func(c *Config) { c.URL = "" },
		"type":             func(c *Config) { c.Type = "" },
		"base":             func(c *Config) { c.Base = "example.com" },
		"base none":        func(c *Config) { c.Base = "" },
		"password_file":    func(c *Config) { c.PasswordFile = "" },
		"bind_dn":          func(c *Config) { c.BindDN = "" },
		"bind_dn ad":       func(c *Config) { c.BindDN, c.PasswordFile = "", "" },
		"timeout":          func(c *Config) { c.Timeout = Duration(11e9) },
		"filter":           func(c *Config) { c.Filter = "(uid=*" },
		"attributes.login": func(c *Config) { c.Attributes.Login = "uid=*)(a" },
		"groups name":      func(c *Config) { c.Groups = map[string]string{"a": ""} },
		"groups comma":     func(c *Config) { c.Groups = map[string]string{"a": "b,c"} },
		"groups dn":        func(c *Config) { c.Groups = map[string]string{"cn=,=": "b"} },
	} {
		c := good
		change(&c)
		field, _, _ := strings.Cut(want, " ")
		p := c.Problems()
		if len(p) != 1 || p[0].Field != field || p[0].Hint == "" || p[0].Text == "" {
			t.Errorf("%s: %+v", want, p)
		}
		if c.Configured() {
			if _, err := New(Options{Config: c}); err == nil {
				t.Errorf("%s: New takes it", want)
			}
		}
	}
	anonymous := Config{URL: "ldaps://a", Type: "ldap", Base: "dc=example"}
	if p := anonymous.Problems(); len(p) > 0 {
		t.Errorf("nobody may ask an open directory: %+v", p)
	}
	good.CAFile = t.TempDir() + "/none.pem"
	if _, err := New(Options{Config: good}); err == nil || errors.Is(err, ErrSilent) {
		t.Errorf("a ca_file that is not there: %v", err)
	}
}
