// Package browserpolicy writes the files that let a company's browsers send
// Kerberos tickets to one issuer.
//
// A browser sends a ticket to a site only when its administrator has named the
// site: Chrome, Edge and Chromium read the policy AuthServerAllowlist from the
// registry, a JSON file or a macOS profile; Firefox reads policies.json. Each
// file here names this issuer and nothing else. None ever lets a browser delegate
// (forward) the user's ticket: idp never asks for that, and a site that gets one
// can act as the user everywhere.
//
// A policy is one value for one browser: a file that sets AuthServerAllowlist
// replaces what another file, or a group policy, may have set before. The files
// and Notes say so, for it is how these files break other sites.
package browserpolicy

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// File is one policy file.
type File struct {
	Name    string // in the folder of `idp browser-policy --out`, and below /setup/files/
	For     string // browsers and system, in words
	Places  []Place
	Check   string // how one sees in the browser that the file was read
	Type    string // media type
	Tried   string // the browser into which idp's tests load it, on Linux; empty: none
	Content []byte
}

// Place is where a file goes for a browser, a system or a way of administering
// them: a path, or what brings it there.
type Place struct{ For, Path string }

// TriedText tells whether the file was tried, in words for people.
func (f File) TriedText() string {
	if f.Tried == "" {
		return "Not tried by idp's makers: written from the browsers' documentation."
	}
	return "Tried in " + f.Tried + " on Linux: idp's tests load it, and the browser logs in silently."
}

// Host is what AuthServerAllowlist names: the issuer's host without its port.
// Chromium then takes any port of it; IPv6 addresses keep their brackets.
func Host(issuer *url.URL) string {
	host := strings.ToLower(issuer.Hostname()) // as browsers write it
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// Origin is what Firefox's network.negotiate-auth.trusted-uris names: scheme,
// host and port, so that nothing is sent over plain http.
func Origin(issuer *url.URL) string { return issuer.Scheme + "://" + strings.ToLower(issuer.Host) }

// Files are the policy files for an issuer. The same issuer always gives the same
// bytes.
func Files(issuer *url.URL) ([]File, error) {
	if err := check(issuer); err != nil {
		return nil, err
	}
	firefox, err := firefoxPolicies(issuer)
	if err != nil {
		return nil, err
	}
	linux, err := linuxPolicy(issuer)
	if err != nil {
		return nil, err
	}
	return []File{windowsRegistry(issuer), linux, macProfile(issuer), firefox}, nil
}

// ByName is the file of that name.
func ByName(issuer *url.URL, name string) (File, bool) {
	files, err := Files(issuer)
	if err != nil {
		return File{}, false
	}
	for _, f := range files {
		if f.Name == name {
			return f, true
		}
	}
	return File{}, false
}

// check refuses what browsers would not compare with what they have in their
// address bar: they know a name only in ASCII (RFC 5890 §2.3.2.1), in lower case.
func check(issuer *url.URL) error {
	for _, c := range issuer.Hostname() {
		if c > '~' || c <= ' ' || strings.ContainsRune(`"\,;*<>&`, c) {
			return fmt.Errorf("issuer: the host %q cannot stand in a browser's policy; write it as browsers do, in ASCII (xn--…)", issuer.Hostname())
		}
	}
	if issuer.Hostname() == "" {
		return fmt.Errorf("issuer: %q has no host", issuer)
	}
	return nil
}

// Notes are what an administrator should know about this issuer before rolling
// the files out.
func Notes(issuer *url.URL) []string {
	host := Host(issuer)
	notes := []string{
		"Each policy is one value: if your browsers already have a list of sites for tickets, add this site to it instead of installing a file that replaces it.",
	}
	_, err := netip.ParseAddr(issuer.Hostname())
	switch {
	case err == nil:
		notes = append(notes, "The issuer is an IP address. KDCs have no tickets for addresses, so browsers will not log in silently: give the server a name, and make that the issuer.")
	case issuer.Hostname() == "localhost" || strings.HasSuffix(issuer.Hostname(), ".localhost"):
		notes = append(notes, "The issuer is on localhost. Silent login works there too, but only in browsers on this machine, with a key for HTTP/"+host+" in the keytab.")
	case !strings.Contains(host, "."):
		notes = append(notes, "The issuer's name has no dot: people who type the long name get no silent login. Firefox needs no AllowNonFQDN for it, which would let tickets go to every such name.")
	}
	if issuer.Port() != "" {
		notes = append(notes, "Browsers ask for a ticket for HTTP/"+host+", without the port, so that is the key the keytab needs. Leave the policy EnableAuthNegotiatePort unset.")
	}
	if err != nil && host != "localhost" && !strings.HasSuffix(host, ".localhost") {
		notes = append(notes, "If "+host+" is an alias (CNAME), Chrome, Edge and Chromium ask for a ticket for the name it points to: the keytab needs a key for that name too. "+
			"The policy DisableAuthNegotiateCnameLookup would end that, for all sites at once; these files leave it unset.")
	}
	if issuer.Scheme == "https" {
		notes = append(notes, "AuthServerAllowlist holds the bare name, as its documentation says, so a ticket may also go to http://"+host+" on a computer that was never here before. "+
			"Chromium takes https://"+host+" too (tried on Linux), which ends that; Firefox's file says https already.")
	}
	return append(notes,
		"Private windows send no tickets, and these files leave that so.",
		"Safari and other programs of macOS need no file: they use the ticket that the Mac has, from kinit or Apple's Kerberos SSO extension (not tried). Phones have no tickets.")
}
