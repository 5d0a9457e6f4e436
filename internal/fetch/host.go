package fetch

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// WantedHost says what PlainHost wants.
const WantedHost = "want a host name of letters, digits, hyphens and dots (others in their form xn--...), or an IP address"

// PlainHost reports whether the host of a URL is written as it is meant: the same to
// people who read it, to whoever is asked for it and to every program that compares
// it. url.Parse undoes percent-encoding in a host, so plain ASCII may become letters
// that look like others, marks that turn the direction of what follows, and spaces.
// Names in Unicode have their form in ASCII (xn--, RFC 5891); an underscore, which no
// name of the Internet has, is common in those of containers. Browsers take a name
// whose last part is a number for an address (WHATWG URL §3.5), so it has to be one.
func PlainHost(u *url.URL) bool {
	host, port := u.Hostname(), u.Port()
	if _, err := strconv.ParseUint(port, 10, 16); (err != nil && port != "") || strings.HasSuffix(u.Host, ":") {
		return false
	}
	if strings.HasPrefix(u.Host, "[") {
		a, err := netip.ParseAddr(host)
		return err == nil && a.Is6() && a.Zone() == ""
	}
	name := strings.TrimSuffix(host, ".")
	if strings.ContainsFunc(name, func(r rune) bool { return !nameRune(r) }) || strings.Contains("."+name+".", "..") {
		return false
	}
	if !numeric(name[strings.LastIndexByte(name, '.')+1:]) {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Is4()
}

func nameRune(r rune) bool {
	return (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z') || (r >= '0' && r <= '9') || r == '-' || r == '.' || r == '_'
}

// numeric: digits, or hexadecimal ones behind 0x.
func numeric(label string) bool {
	rest, hex := strings.CutPrefix(strings.ToLower(label), "0x")
	digits := "0123456789"
	if hex {
		digits += "abcdef"
	}
	return strings.Trim(rest, digits) == ""
}
