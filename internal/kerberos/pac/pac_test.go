package pac

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
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
	if _, err := Read(pac, wire.Key{Etype: 18, Value: k.KeyValue}, client, authTime); !refusedFor(err, reason.PACSignature) {
		t.Errorf("a changed PAC: %v", err)
	}
}

// FuzzPAC reads what is behind a valid signature, too.
func FuzzPAC(f *testing.F) {
	for _, h := range []string{testdata.MarshaledPAC_AD_WIN2K_PAC, testdata.MarshaledPAC_Kerb_Validation_Info,
		testdata.MarshaledPAC_Kerb_Validation_Info_MS, testdata.MarshaledPAC_Kerb_Validation_Info_Trust} {
		b, err := hex.DecodeString(h)
		must(f, err)
		f.Add(b)
	}
	f.Fuzz(func(_ *testing.T, b []byte) {
		if p, err := split(b); err == nil {
			_ = verify(b, p, wire.Key{Etype: 18, Value: make([]byte, 32)})
			_ = checkClientInfo(p.data[bufClientInfo], wire.Principal{Components: []string{"x"}}, time.Time{})
			_, _ = parseLogonInfo(p.data[bufLogonInfo])
		}
		_, _ = parseLogonInfo(b)
	})
}

func refusedFor(err error, c reason.Code) bool {
	var refused *reason.Error
	return errors.As(err, &refused) && refused.Reason == c
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
