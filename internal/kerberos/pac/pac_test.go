package pac

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jcmturner/gokrb5/v8/keytab"
	"github.com/jcmturner/gokrb5/v8/test/testdata"
	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

func TestHoleNDRCounts(t *testing.T) {
	info, err := hex.DecodeString(testdata.MarshaledPAC_Kerb_Validation_Info_MS)
	must(t, err)
	// Every 32-bit word in turn becomes huge: never a panic, never much memory.
	for i := 0; i+4 <= len(info); i += 2 {
		b := append([]byte(nil), info...)
		binary.LittleEndian.PutUint32(b[i:], 0xfffffff0)
		_, _ = parseLogonInfo(b)
		_, _ = parseLogonInfo(info[:i])
	}
}

func TestLogonInfoOfWindows(t *testing.T) {
	for _, c := range []struct {
		hex    string
		want   PAC
		groups int
	}{
		{testdata.MarshaledPAC_Kerb_Validation_Info_MS, PAC{Account: "lzhu", FullName: "Liqiang(Larry) Zhu", Domain: "NTDEV", SID: "S-1-5-21-397955417-626881126-188441444-2914711"}, 26 + 13},
		{testdata.MarshaledPAC_Kerb_Validation_Info, PAC{Account: "testuser1", FullName: "Test1 User1", Domain: "TEST", SID: "S-1-5-21-3167651404-3865080224-2280184895-1105"}, 7},
		{testdata.MarshaledPAC_Kerb_Validation_Info_Trust, PAC{Account: "testuser1", FullName: "Test1 User1", Domain: "USER", SID: "S-1-5-21-2284869408-3503417140-1141177250-1106"}, 6},
	} {
		b, err := hex.DecodeString(c.hex)
		must(t, err)
		got, err := parseLogonInfo(b)
		must(t, err)
		if len(got.Groups) != c.groups {
			t.Errorf("%s: %d groups, want %d", got.Account, len(got.Groups), c.groups)
		}
		got.Groups = nil
		if d := cmp.Diff(&c.want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestPACOfActiveDirectoryVerifies(t *testing.T) {
	b, err := hex.DecodeString(testdata.KEYTAB_SYSHTTP_TEST_GOKRB5)
	must(t, err)
	kt := keytab.New()
	must(t, kt.Unmarshal(b))
	name, _ := types.ParseSPNString("sysHTTP")
	k, _, err := kt.GetEncryptionKey(name, "TEST.GOKRB5", 2, 18)
	must(t, err)
	pac, err := hex.DecodeString(testdata.MarshaledPAC_AD_WIN2K_PAC)
	must(t, err)
	client, authTime := wire.Principal{Components: []string{"testuser1"}}, time.Date(2017, 5, 6, 15, 53, 11, 0, time.UTC)
	got, err := Read(pac, wire.Key{Etype: 18, Value: k.KeyValue}, client, authTime)
	if err != nil || got.Account != "testuser1" || got.UPN != "testuser1@test.gokrb5" {
		t.Fatalf("%+v, %v", got, err)
	}
	pac[len(pac)/2] ^= 1
	if _, err := Read(pac, wire.Key{Etype: 18, Value: k.KeyValue}, client, authTime); reason.Of(err) != reason.PACSignature {
		t.Errorf("a changed PAC: %v", err)
	}
}

// sambaKey sealed the tickets whose PACs are in testdata, of a Samba 4.17 domain
// that lived for a minute: alice has a userPrincipalName, bob has none.
var sambaKey = wire.Key{Etype: 18, Value: []byte("\x71\xfa\x4e\x03\x7f\xcc\xa7\xb7\x5a\xb1\xa7\x08\x88\xeb\xb4\x97\xbf\x18\x61\x4e\xf8\x7f\x40\xfe\xaf\x9a\x09\xb8\xdd\xb3\x7c\x2b")}

var sambaTime = time.Date(2026, 11, 26, 21, 58, 53, 0, time.UTC)

func sambaPAC(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/samba-" + name + ".pac")
	must(t, err)
	return b
}

func TestPACOfSambaVerifies(t *testing.T) {
	const domain = "S-1-5-21-3174253746-1206027157-820824729-"
	for _, want := range []PAC{
		{Account: "alice", UPN: "a.example@example.test", FullName: "Alice Example", Domain: "AD", SID: domain + "1103", Groups: []string{domain + "513", domain + "1105", "S-1-18-1"}},
		{Account: "bob", UPN: "bob@ad.test", Domain: "AD", SID: domain + "1104", Groups: []string{domain + "513", "S-1-18-1"}},
	} {
		got, err := Read(sambaPAC(t, want.Account), sambaKey, wire.Principal{Components: []string{want.Account}}, sambaTime)
		must(t, err)
		if d := cmp.Diff(&want, got); d != "" {
			t.Error(d)
		}
	}
}

// Display names are typed by people: one with a line break is no name, but no
// reason to keep somebody out either.
func TestFullNameThatCannotBeShown(t *testing.T) {
	for _, char := range []byte{0, '\n', 0x7f} {
		b := sambaPAC(t, "alice")
		at := bytes.Index(b, []byte(" \x00E\x00x\x00a\x00m\x00p\x00l\x00e\x00"))
		b[at] = char
		if !signed(b, sambaKey) {
			t.Fatal("no place for the signature")
		}
		got, err := Read(b, sambaKey, wire.Principal{Components: []string{"alice"}}, sambaTime)
		if err != nil || got.FullName != "" || got.Account != "alice" {
			t.Errorf("%q: %+v, %v", char, got, err)
		}
	}
}

// signed writes the server's signature into a PAC that was changed; false if it
// has no place for signatures.
func signed(b []byte, key wire.Key) bool {
	p, err := split(b)
	if err != nil || len(p.data[bufServerSum]) < 16 || len(p.data[bufKDCSum]) < 16 {
		return false
	}
	for _, buffer := range []uint32{bufServerSum, bufKDCSum} {
		sum := p.data[buffer]
		binary.LittleEndian.PutUint32(sum, 16) // HMAC-SHA1-96-AES256
		clear(sum[4:16])
	}
	_, sum, err := wire.Checksum(key, wire.UsagePAC, b)
	return err == nil && copy(p.data[bufServerSum][4:], sum) == len(sum)
}

// TestHolePACBufferOffsets: each buffer in turn lies somewhere else, or is cut
// short and signed anew.
func TestHolePACBufferOffsets(t *testing.T) {
	good := sambaPAC(t, "alice")
	n := int(binary.LittleEndian.Uint32(good))
	for i := range n {
		for _, offset := range []uint64{0, 8, uint64(8 + 16*n - 1), uint64(len(good) + 1), 1 << 31, 1 << 32, 1<<63 - 1, 1 << 63, 1<<64 - 1} {
			b := append([]byte(nil), good...)
			binary.LittleEndian.PutUint64(b[8+16*i+8:], offset)
			if _, err := Read(b, sambaKey, fuzzedClient, sambaTime); reason.Of(err) != reason.PAC {
				t.Errorf("buffer %d at %#x: %v", i, offset, err)
			}
		}
		for _, size := range []uint32{uint32(len(good)), 1 << 31, 1<<32 - 1} {
			b := append([]byte(nil), good...)
			binary.LittleEndian.PutUint32(b[8+16*i+4:], size)
			if _, err := Read(b, sambaKey, fuzzedClient, sambaTime); reason.Of(err) != reason.PAC {
				t.Errorf("buffer %d of %d bytes: %v", i, size, err)
			}
		}
		for size := range uint32(20) {
			b := append([]byte(nil), good...)
			binary.LittleEndian.PutUint32(b[8+16*i+4:], size)
			signed(b, sambaKey)
			if _, err := Read(b, sambaKey, fuzzedClient, sambaTime); err != nil && reason.Of(err) != reason.PAC && reason.Of(err) != reason.PACSignature {
				t.Errorf("buffer %d of %d bytes: %v", i, size, err)
			}
		}
	}
}

// TestHoleUPNDNSInfo: what UPN_DNS_INFO points to is in it, and about the account
// of the logon information, signed or not.
func TestHoleUPNDNSInfo(t *testing.T) {
	client := wire.Principal{Components: []string{"alice"}}
	changed := func(at int, value []byte) []byte {
		b := sambaPAC(t, "alice")
		p, err := split(b)
		must(t, err)
		copy(p.data[bufUPN][at:], value)
		if !signed(b, sambaKey) {
			t.Fatal("no place for the signature")
		}
		return b
	}
	got, err := Read(changed(0, []byte{22}), sambaKey, client, sambaTime)
	if err != nil || got.UPN != "a.example@e" {
		t.Fatalf("signed anew: %+v, %v", got, err)
	}
	if got, err = Read(changed(0, []byte{0, 0}), sambaKey, client, sambaTime); err != nil || got.UPN != "" {
		t.Fatalf("no name: %+v, %v", got, err)
	}
	info, err := split(sambaPAC(t, "alice"))
	must(t, err)
	sid := int(info.data[bufUPN][18])
	account := int(info.data[bufUPN][14])
	for what, c := range map[string]struct {
		at    int
		value []byte
	}{
		"a name of 64 KB":       {0, []byte{0xfe, 0xff}},
		"a name far behind":     {2, []byte{0xff, 0xff}},
		"a NUL in the name":     {int(info.data[bufUPN][2]), []byte{0, 0}},
		"an account of 64 KB":   {12, []byte{0xfe, 0xff}},
		"no account":            {12, []byte{0, 0}},
		"another account":       {account, []byte("b")},
		"a SID far behind":      {18, []byte{0xff, 0xff}},
		"no SID":                {16, []byte{0, 0}},
		"a SID of 255 parts":    {sid + 1, []byte{255}},
		"a SID of version 2":    {sid, []byte{2}},
		"another account's SID": {sid + 24, []byte{0x50}},
	} {
		if _, err := Read(changed(c.at, c.value), sambaKey, client, sambaTime); reason.Of(err) != reason.PAC {
			t.Errorf("%s: %v", what, err)
		}
	}
	for n := range sid + 28 {
		if _, err := parseUPN(info.data[bufUPN][:n]); err == nil {
			t.Errorf("cut after %d bytes: accepted", n)
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
