package browserpolicy

import (
	"bytes"
	"encoding/json"
	"net/url"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func parse(t *testing.T, issuer string) *url.URL {
	t.Helper()
	u, err := url.Parse(issuer)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func file(t *testing.T, issuer, name string) File {
	t.Helper()
	f, ok := ByName(parse(t, issuer), name)
	if !ok {
		t.Fatalf("no file %s for %s", name, issuer)
	}
	return f
}

// issuers and what they are called in policies.
var issuers = []struct {
	issuer, host string
}{
	{"https://sso.example.com", "sso.example.com"},
	{"https://sso.example.com:8443", "sso.example.com"},
	{"https://xn--sgt-sna.example.com", "xn--sgt-sna.example.com"},
	{"https://SSO.example.com", "sso.example.com"},
	{"https://sso", "sso"},
	{"http://localhost:8080", "localhost"},
	{"http://idp.localhost:8080", "idp.localhost"},
	{"http://127.0.0.1:8080", "127.0.0.1"},
	{"http://[::1]:8080", "[::1]"},
}

func TestJSONFiles(t *testing.T) {
	for _, c := range issuers {
		var chromium map[string]any
		if err := json.Unmarshal(file(t, c.issuer, "chrome-edge-linux.json").Content, &chromium); err != nil {
			t.Fatal(err)
		}
		if len(chromium) != 1 || chromium["AuthServerAllowlist"] != c.host {
			t.Errorf("%s: %v, want AuthServerAllowlist %q alone", c.issuer, chromium, c.host)
		}
		var firefox struct {
			Policies struct {
				Authentication struct {
					SPNEGO []string
					Locked bool
				}
			} `json:"policies"`
		}
		dec := json.NewDecoder(bytes.NewReader(file(t, c.issuer, "firefox-policies.json").Content))
		dec.DisallowUnknownFields() // Delegated, NTLM, AllowNonFQDN, PrivateBrowsing
		if err := dec.Decode(&firefox); err != nil {
			t.Fatal(err)
		}
		a := firefox.Policies.Authentication
		if !slices.Equal(a.SPNEGO, []string{strings.ToLower(c.issuer)}) || !a.Locked {
			t.Errorf("%s: %+v", c.issuer, a)
		}
	}
}

// A .reg file is a heading, keys in brackets, values, comments and empty lines,
// all of them ended by CR LF.
func TestRegistryFile(t *testing.T) {
	line := regexp.MustCompile(`^(|;.*|\[HKEY_LOCAL_MACHINE\\[^\]]+\]|"[^"\\]+"="[^"\\]*")$`)
	for _, c := range issuers {
		text := string(file(t, c.issuer, "chrome-edge-windows.reg").Content)
		lines := strings.Split(text, "\r\n")
		if lines[0] != "Windows Registry Editor Version 5.00" || lines[1] != "" || strings.Count(text, "\n") != len(lines)-1 {
			t.Fatalf("%s: not a .reg file:\n%s", c.issuer, text)
		}
		set, key := map[string]string{}, ""
		for _, l := range lines[1:] {
			if !line.MatchString(l) {
				t.Errorf("%s: %q is no line of a .reg file", c.issuer, l)
			}
			if strings.HasPrefix(l, "[") {
				key = l
			} else if strings.HasPrefix(l, `"`) {
				set[key] += l
			}
		}
		for _, browser := range []string{`Google\Chrome`, `Microsoft\Edge`, `Chromium`} {
			if got := set[`[HKEY_LOCAL_MACHINE\SOFTWARE\Policies\`+browser+`]`]; got != `"AuthServerAllowlist"="`+c.host+`"` {
				t.Errorf("%s: %s has %q", c.issuer, browser, got)
			}
		}
		if len(set) != 3 {
			t.Errorf("%s: sets %v, want the three browsers' policies alone", c.issuer, set)
		}
	}
}

// Python's plistlib reads the profile as Apple's tools do.
func TestProfile(t *testing.T) {
	const read = `import json, plistlib, sys; json.dump(plistlib.loads(sys.stdin.buffer.read()), sys.stdout)`
	type payload struct {
		AuthServerAllowlist, PayloadDisplayName, PayloadIdentifier, PayloadType, PayloadUUID string
		PayloadVersion                                                                       int
	}
	isUUID := regexp.MustCompile(`^[0-9A-F]{8}-[0-9A-F]{4}-8[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$`)
	seen := map[string]string{}
	for _, c := range issuers {
		if c.issuer != strings.ToLower(c.issuer) {
			continue // the profile of the same issuer in small letters, with its UUIDs
		}
		cmd := exec.Command("python3", "-c", read)
		cmd.Stdin = bytes.NewReader(file(t, c.issuer, "chrome-edge-macos.mobileconfig").Content)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("python3's plistlib on the profile for %s: %v", c.issuer, err)
		}
		var p struct {
			payload
			PayloadScope   string
			PayloadContent []payload
		}
		dec := json.NewDecoder(bytes.NewReader(out))
		dec.DisallowUnknownFields() // AuthNegotiateDelegateAllowlist
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		if p.PayloadType != "Configuration" || p.PayloadScope != "System" || len(p.PayloadContent) != 3 {
			t.Errorf("%s: %+v", c.issuer, p)
		}
		for i, q := range append(p.PayloadContent, p.payload) {
			if !isUUID.MatchString(q.PayloadUUID) || seen[q.PayloadUUID] != "" || q.PayloadVersion != 1 || q.PayloadIdentifier == "" {
				t.Errorf("%s: payload %+v; its UUID is also that of %q", c.issuer, q, seen[q.PayloadUUID])
			}
			seen[q.PayloadUUID] = c.issuer + q.PayloadType
			if i < 3 && (q.AuthServerAllowlist != c.host || !strings.Contains(q.PayloadType, ".")) {
				t.Errorf("%s: payload %+v", c.issuer, q)
			}
		}
	}
}

func TestTheSameIssuerGivesTheSameFilesAndNoDelegation(t *testing.T) {
	for _, c := range issuers {
		one, err := Files(parse(t, c.issuer))
		if err != nil {
			t.Fatal(err)
		}
		two, _ := Files(parse(t, c.issuer))
		for i, f := range one {
			if !bytes.Equal(f.Content, two[i].Content) {
				t.Errorf("%s: %s differs from one time to the next", c.issuer, f.Name)
			}
			if f.For == "" || f.Check == "" || len(f.Places) == 0 || (f.Tried != "") != strings.HasSuffix(f.Name, ".json") {
				t.Errorf("%s says too little of itself: %+v", f.Name, f)
			}
			if strings.HasSuffix(f.Name, ".json") == bytes.Contains(f.Content, []byte("Not tried")) {
				t.Errorf("%s does not say whether it was tried", f.Name)
			}
		}
	}
}

func TestNotesFitTheIssuer(t *testing.T) {
	for issuer, want := range map[string]string{
		"http://10.1.2.3:8080":    "IP address",
		"http://localhost:8080":   "on this machine",
		"https://sso":             "no dot",
		"https://sso.example:444": "without the port",
		"https://sso.example.com": "alias (CNAME)",
	} {
		notes := strings.Join(Notes(parse(t, issuer)), "\n")
		if !strings.Contains(notes, want) {
			t.Errorf("%s: no note says %q:\n%s", issuer, want, notes)
		}
		if strings.Contains(notes, "without the port") != (parse(t, issuer).Port() != "") {
			t.Errorf("%s: the note about ports is wrong:\n%s", issuer, notes)
		}
	}
}

func TestHostsThatBrowsersDoNotCompareAreRefused(t *testing.T) {
	for _, u := range []*url.URL{
		{Scheme: "https", Host: "säge.example.com"}, {Scheme: "https", Host: `a"b.example`}, {Scheme: "https", Host: "*.example.com"}, {Scheme: "https"},
	} {
		if _, err := Files(u); err == nil {
			t.Errorf("%q was taken", u.Host)
		}
		if _, ok := ByName(u, "firefox-policies.json"); ok {
			t.Errorf("%q has a file", u.Host)
		}
	}
}
