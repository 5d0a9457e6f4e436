package browserpolicy

import (
	"net/netip"
	"net/url"
	"strings"
)

// windowsKeys are where Chromium's browsers look for their policies.
var windowsKeys = []string{`Google\Chrome`, `Microsoft\Edge`, `Chromium`}

// windowsRegistry is a .reg file: a heading, sections named by keys, values, and
// comments after semicolons; lines end in CR LF.
func windowsRegistry(issuer *url.URL) File {
	f := File{
		Name: "chrome-edge-windows.reg", For: "Chrome, Edge and Chromium on Windows", Type: "text/plain; charset=us-ascii",
		Places: []Place{
			{"One computer", "reg import chrome-edge-windows.reg (as administrator)"},
			{"A domain", `by a group policy: Computer Configuration, Administrative Templates, Google Chrome (Microsoft Edge), HTTP authentication, "Authentication server allowlist": ` + Host(issuer)},
		},
		Check: "chrome://policy (edge://policy) shows AuthServerAllowlist with the status OK.",
	}
	text := "Windows Registry Editor Version 5.00\n\n" + f.windowsComment(issuer)
	for _, key := range windowsKeys {
		text += "\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\Policies\\" + key + "]\n\"AuthServerAllowlist\"=\"" + Host(issuer) + "\"\n"
	}
	f.Content = []byte(strings.ReplaceAll(text+zone(issuer), "\n", "\r\n"))
	return f
}

func (f File) windowsComment(issuer *url.URL) string {
	return `; Lets ` + f.For + ` send Kerberos tickets to
; ` + Origin(issuer) + `. Made by idp browser-policy.
;
; Where it goes: run as administrator:  reg import ` + f.Name + `
; In a domain set the same policy by a group policy instead, which would
; overwrite these values.
; How to check: ` + f.Check + `
; ` + f.TriedText() + `
;
; Without this policy Chrome and Edge ask Windows whether a site belongs to the
; local intranet zone, and send tickets to those that do. With it they do not ask
; any more: sites that relied on the zone must be in the list too, as in
; "` + Host(issuer) + `,*.corp.example". It replaces a list that is there.
; Delegation (AuthNegotiateDelegateAllowlist) is not set: idp never needs it.
`
}

// zone is the alternative, for programs that go by Windows' zones, as comments:
// who is in the intranet zone is trusted with more than tickets.
func zone(issuer *url.URL) string {
	if _, err := netip.ParseAddr(issuer.Hostname()); err == nil {
		return ""
	}
	return `
; Not needed by Chrome and Edge once the policy above is set. Programs that use
; Windows' own zones (Edge's Internet Explorer mode, Office, PowerShell) send
; tickets only to sites of the local intranet zone, zone 1. To put the site there,
; take the semicolons off; note that the zone has weaker security settings
; altogether, has no ports, and that a group policy "Site to Zone Assignment List"
; replaces this list.
;
;[HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings]
;"ListBox_Support_ZoneMapKey"=dword:00000001
;
;[HKEY_LOCAL_MACHINE\SOFTWARE\Policies\Microsoft\Windows\CurrentVersion\Internet Settings\ZoneMapKey]
;"` + issuer.Scheme + `://` + Host(issuer) + `"="1"
`
}
