package pac

import (
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jcmturner/gokrb5/v8/test/testdata"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// pacs are real ones: of Windows and of Samba.
func pacs(f *testing.F) [][]byte {
	windows, err := hex.DecodeString(testdata.MarshaledPAC_AD_WIN2K_PAC)
	must(f, err)
	return [][]byte{windows, sambaPAC(f, "alice"), sambaPAC(f, "bob")}
}

var fuzzedClient = wire.Principal{Components: []string{"alice"}}

// checkPAC: what was read can be stored, and is no more than came.
func checkPAC(t *testing.T, p *PAC, came int) {
	t.Helper()
	if p == nil {
		return
	}
	if shown(p.FullName) != p.FullName || shown(p.Domain) != p.Domain {
		t.Errorf("full name %q, domain %q", p.FullName, p.Domain)
	}
	if wire.CheckName(p.Account) != nil || p.UPN != "" && wire.CheckName(p.UPN) != nil || !strings.HasPrefix(p.SID, "S-1-") {
		t.Errorf("account %q, UPN %q, SID %q", p.Account, p.UPN, p.SID)
	}
	// A group takes 8 bytes at least, a character 2, which are 3 of UTF-8.
	if len(p.Groups) > 1+came/8 || len(p.FullName)+len(p.Domain) > 3*came {
		t.Errorf("%d groups and %d bytes of names out of %d bytes", len(p.Groups), len(p.FullName)+len(p.Domain), came)
	}
	for _, sid := range p.Groups {
		if !strings.HasPrefix(sid, "S-1-") || len(sid) > 200 {
			t.Errorf("group %q", sid)
		}
	}
}

func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if err != nil && !errors.As(err, new(*reason.Error)) {
		t.Errorf("not a refusal: %v", err)
	}
}

// FuzzPAC: a PAC from somebody without the service's key. Only those that the key
// signed are read.
func FuzzPAC(f *testing.F) {
	for _, b := range pacs(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := Read(b, sambaKey, fuzzedClient, sambaTime)
		checkRefusal(t, err)
		if err == nil && (p == nil || p.UPN != "a.example@example.test") {
			t.Errorf("a forged PAC: %+v", p)
		}
	})
}

// FuzzSignedPAC: a PAC from somebody who has the key, as every account that may set the
// service's password.
func FuzzSignedPAC(f *testing.F) {
	for _, b := range pacs(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if !signed(b, sambaKey) {
			return
		}
		split, err := split(b)
		must(t, err)
		if verify(b, split, sambaKey) != nil {
			return // one signature on top of the other
		}
		p, err := Read(b, sambaKey, fuzzedClient, sambaTime)
		checkRefusal(t, err)
		if err == nil {
			checkPAC(t, p, len(b))
		}
		if err == nil && p != nil && !strings.EqualFold(p.Account, "alice") {
			t.Errorf("alice's PAC is about %q", p.Account)
		}
	})
}

// FuzzLogonInfo goes straight at the NDR.
func FuzzLogonInfo(f *testing.F) {
	for _, h := range []string{testdata.MarshaledPAC_Kerb_Validation_Info, testdata.MarshaledPAC_Kerb_Validation_Info_MS, testdata.MarshaledPAC_Kerb_Validation_Info_Trust} {
		b, err := hex.DecodeString(h)
		must(f, err)
		f.Add(b)
	}
	for _, b := range pacs(f) {
		p, err := split(b)
		must(f, err)
		f.Add(p.data[bufLogonInfo])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := parseLogonInfo(b)
		checkRefusal(t, err)
		if (p == nil) != (err != nil) {
			t.Fatalf("%+v, %v", p, err)
		}
		checkPAC(t, p, len(b))
	})
}

// FuzzPACNames: the two buffers that say whose PAC it is.
func FuzzPACNames(f *testing.F) {
	for _, b := range pacs(f) {
		p, err := split(b)
		must(f, err)
		f.Add(p.data[bufUPN])
		f.Add(p.data[bufClientInfo])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		u, err := parseUPN(b)
		checkRefusal(t, err)
		if err == nil && (u.upn != "" && wire.CheckName(u.upn) != nil || (u.sid == "") != (u.account == "")) {
			t.Errorf("%+v", u)
		}
		checkRefusal(t, checkClientInfo(b, fuzzedClient, time.Time{}))
	})
}
