package browserpolicy

import (
	"bytes"
	"crypto/sha256"
	"encoding/xml"
	"fmt"
	"net/url"
	"strings"
)

// macDomains are the preference domains of Chromium's browsers.
var macDomains = []struct{ domain, name string }{
	{"com.google.Chrome", "Chrome"}, {"com.microsoft.Edge", "Edge"}, {"org.chromium.Chromium", "Chromium"},
}

// macProfile is a configuration profile: a property list with one payload for
// each browser.
func macProfile(issuer *url.URL) File {
	f := File{
		Name: "chrome-edge-macos.mobileconfig", For: "Chrome, Edge and Chromium on macOS", Type: "application/x-apple-aspen-config",
		Places: []Place{
			{"Managed Macs", "upload it to your device management (MDM) as a custom profile"},
			{"One Mac", "open the file, then System Settings, General, Device Management"},
		},
		Check: "chrome://policy (edge://policy) shows AuthServerAllowlist with the status OK.",
	}
	var b strings.Builder
	b.WriteString(xml.Header + `<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">` + "\n")
	b.WriteString(f.macComment())
	b.WriteString("<plist version=\"1.0\">\n<dict>\n  <key>PayloadContent</key>\n  <array>\n")
	for _, d := range macDomains {
		b.WriteString("    <dict>\n")
		writeStrings(&b, "      ", "AuthServerAllowlist", Host(issuer))
		writePayload(&b, "      ", issuer, d.domain, "Tickets for "+Origin(issuer)+" in "+d.name)
		b.WriteString("    </dict>\n")
	}
	b.WriteString("  </array>\n")
	writePayload(&b, "  ", issuer, "Configuration", "Silent login at "+Origin(issuer))
	writeStrings(&b, "  ", "PayloadScope", "System")
	b.WriteString("</dict>\n</plist>\n")
	f.Content = []byte(b.String())
	return f
}

// macComment does not name the issuer, which may hold "--" (xn--…): a comment of
// XML must not (XML 1.0 §2.5).
func (f File) macComment() string {
	return "<!--\n  Lets " + f.For + ` send Kerberos tickets to the site
  that AuthServerAllowlist names below. Made by idp browser-policy.

  Where it goes: upload it to your device management (MDM) as a custom profile; on
  one Mac open the file, then System Settings, General, Device Management.
  How to check: ` + f.Check + `
  ` + f.TriedText() + `

  It replaces a list of sites that another profile has set. Delegation
  (AuthNegotiateDelegateAllowlist) is not set: idp never needs it.
  Safari needs no profile: it uses the ticket that the Mac has, from kinit or
  Apple's Kerberos SSO extension.
-->
`
}

// writePayload writes what every payload has.
func writePayload(b *strings.Builder, indent string, issuer *url.URL, kind, title string) {
	writeStrings(b, indent,
		"PayloadDisplayName", title,
		"PayloadIdentifier", "idp.browser-policy."+strings.Trim(Host(issuer), "[]")+"."+kind,
		"PayloadType", kind,
		"PayloadUUID", uuid(Origin(issuer)+" "+kind))
	fmt.Fprintf(b, "%s<key>PayloadVersion</key>\n%s<integer>1</integer>\n", indent, indent)
}

// writeStrings writes pairs of a key and a string.
func writeStrings(b *strings.Builder, indent string, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(b, "%s<key>%s</key>\n%s<string>%s</string>\n", indent, escaped(pairs[i]), indent, escaped(pairs[i+1]))
	}
}

func escaped(s string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(s)) // a bytes.Buffer takes everything
	return b.String()
}

// uuid is a name's UUID from SHA-256, version 8 (RFC 9562 §5.8, appendix B.2), so
// that a profile made again for the same issuer replaces the one before.
func uuid(name string) string {
	sum := sha256.Sum256([]byte("idp browser-policy " + name))
	b := sum[:16]
	b[6] = b[6]&0x0f | 0x80
	b[8] = b[8]&0x3f | 0x80
	return strings.ToUpper(fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
}
