package browserpolicy

import (
	"encoding/json"
	"net/url"
)

// linuxPolicy is a managed policy: Chromium's browsers read every .json file of
// their folder when they start, and again when it changes. JSON has no comments,
// and a key that is no policy shows as an error in chrome://policy, so the file
// is silent about itself.
func linuxPolicy(issuer *url.URL) (File, error) {
	content, err := indented(map[string]any{"AuthServerAllowlist": Host(issuer)})
	return File{
		Name: "chrome-edge-linux.json", For: "Chrome, Chromium and Edge on Linux", Type: "application/json", Tried: "Chromium",
		Places: []Place{
			{"Chrome", "/etc/opt/chrome/policies/managed/idp.json"},
			{"Chromium", "/etc/chromium/policies/managed/idp.json"},
			{"Edge", "/etc/opt/edge/policies/managed/idp.json"},
		},
		Check:   "chrome://policy (edge://policy) shows AuthServerAllowlist with the status OK.",
		Content: content,
	}, err
}

// firefoxPolicies is Firefox's policies.json, the same on every system.
//
// Locked is set, as it is by default: otherwise a list that somebody once typed
// into about:config wins over the file, and silent login fails on just those
// computers. The price is that people cannot add sites of their own.
//
// AllowNonFQDN is not set, not even for a name without a dot: Firefox does not
// need it for a site that is named (a test shows it), and sends tickets to every
// name without a dot where it is set.
func firefoxPolicies(issuer *url.URL) (File, error) {
	authentication := map[string]any{"SPNEGO": []string{Origin(issuer)}, "Locked": true}
	content, err := indented(map[string]any{"policies": map[string]any{"Authentication": authentication}})
	return File{
		Name: "firefox-policies.json", For: "Firefox on all systems", Type: "application/json", Tried: "Firefox ESR",
		Places: []Place{
			{"Linux", "/etc/firefox/policies/policies.json"},
			{"Windows", `C:\Program Files\Mozilla Firefox\distribution\policies.json`},
			{"macOS", "/Applications/Firefox.app/Contents/Resources/distribution/policies.json"},
		},
		Check:   "about:policies shows Authentication, and about:config network.negotiate-auth.trusted-uris is " + Origin(issuer) + ".",
		Content: content,
	}, err
}

func indented(v any) ([]byte, error) {
	b, err := json.MarshalIndent(v, "", "  ") // map keys come sorted: always the same bytes
	return append(b, '\n'), err
}
