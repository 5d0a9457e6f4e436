package sites

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxReadings bounds in how many ways one path is read; what has more is refused.
const maxReadings = 64

// maxOdd bounds a path that is read in several ways, in bytes.
const maxOdd = 2 << 10

// readings are all the paths that a program behind us may make of the path of a request
// as it was sent: with its escapes decoded, all or some, once or twice; with dots
// resolved, and slashes merged before that or not; with what follows a semicolon cut off,
// what a backslash is taken for, and a host found where none is. The rules are asked
// about each, and the request has to be allowed by all: whoever is refused at /admin/
// must not get there by another spelling.
// Not ok: there is no telling what it is.
func readings(raw string) (list []string, ok bool) {
	if raw == "" || raw[0] != '/' {
		return nil, false
	}
	if plain(raw) {
		return []string{raw}, true
	}
	if len(raw) > maxOdd {
		return nil, false
	}
	list = []string{raw}
	for i := 0; i < len(list); i++ { // list grows
		for _, other := range respell(list[i]) {
			if !sound(other) || len(list) == maxReadings {
				return nil, false
			}
			if !slices.Contains(list, other) {
				list = append(list, other)
			}
		}
	}
	return list, true
}

// plain paths have one reading.
func plain(p string) bool {
	for i := range len(p) {
		switch c := p[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && p[i-1] != '/': // p[0] is a slash
		case c == '/' && (i == 0 || p[i-1] != '/'):
		default:
			return false
		}
	}
	return true
}

// respell is what each way of reading makes of a path.
func respell(p string) []string {
	return []string{
		unescape(p, func(byte) bool { return true }),
		unescape(p, unreserved),
		strings.ReplaceAll(p, `\`, "/"),
		withoutParameters(p),
		before(p, ";"), // as Jetty did until 9.2
		before(p, "?#"),
		withoutHost(p, "/"),
		withoutHost(p, "/%;'\"<>^`{|} "), // as Node's older url.parse does
		slashes.ReplaceAllString(p, "/"),
		resolve(p),
		withoutDots(p),
		strings.TrimRight(p, " "),
		norm.NFKC.String(p),
	}
}

// sound: no program that cuts a text at a NUL, or turns broken UTF-8 into a slash,
// reads something else than we did. "%u002f" is an escape to some.
func sound(p string) bool {
	return utf8.ValidString(p) && !strings.ContainsFunc(p, func(c rune) bool { return c < ' ' || c == 0x7f }) && !wideEscape.MatchString(p)
}

var wideEscape = regexp.MustCompile(`%[uU][0-9a-fA-F]{4}`)

// unescape decodes once each %xx that is of a byte to decode, and leaves what is none as
// it is.
func unescape(p string, decode func(byte) bool) string {
	if !strings.Contains(p, "%") {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) {
			hi, ok := unhex(p[i+1])
			lo, ok2 := unhex(p[i+2])
			if ok && ok2 && decode(hi<<4|lo) {
				b.WriteByte(hi<<4 | lo)
				i += 2
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
}

// unreserved is what needs no escape (RFC 3986 §2.3). A program that decodes nothing else
// before it resolves dots (§6.2.2.2; the URL of WHATWG does with the dots alone) keeps an
// escaped slash.
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

func unhex(c byte) (value byte, ok bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

// withoutParameters cuts each segment at its first semicolon (RFC 3986 §3.3 leaves
// their meaning to the program; Java's take them away).
func withoutParameters(p string) string {
	if !strings.Contains(p, ";") {
		return p
	}
	segments := strings.Split(p, "/")
	for i := range segments {
		segments[i], _, _ = strings.Cut(segments[i], ";")
	}
	return strings.Join(segments, "/")
}

// before cuts at what begins parameters, a query or a fragment, once its escape is
// decoded.
func before(p, marks string) string {
	if i := strings.IndexAny(p, marks); i >= 0 {
		return p[:i]
	}
	return p
}

// withoutHost is what a program reads that takes a target for a reference: two slashes
// begin a host (RFC 3986 §4.2; to the URL of WHATWG, which Node has, so do more), which
// one of end ends.
func withoutHost(p, end string) string {
	rest := strings.TrimLeft(p, "/")
	if len(p)-len(rest) < 2 {
		return p
	}
	authority, _, _ := strings.Cut(rest, "/")
	rest = rest[strings.LastIndexByte(authority, '@')+1:]
	i := strings.IndexAny(rest, end)
	if i < 0 {
		return "/"
	}
	return "/" + strings.TrimPrefix(rest[i:], "/")
}

var slashes = regexp.MustCompile(`//+`)

// withoutDots takes dots out to the letter of RFC 3986 §5.2.4: between two slashes is a
// segment, too, which ".." takes away.
func withoutDots(p string) string {
	if !strings.Contains(p, "/.") {
		return p
	}
	segments := strings.Split(p, "/")[1:]
	var kept []string
	for _, s := range segments {
		switch s {
		case ".":
		case "..":
			kept = kept[:max(len(kept)-1, 0)]
		default:
			kept = append(kept, s)
		}
	}
	if last := segments[len(segments)-1]; last == "." || last == ".." {
		kept = append(kept, "")
	}
	return "/" + strings.Join(kept, "/")
}

// resolve merges slashes and takes dots out (RFC 3986 §5.2.4), and keeps the last slash.
func resolve(p string) string {
	if sameSegments(p) {
		return p
	}
	cleaned := path.Clean(p)
	if cleaned != "/" && (strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/.") || strings.HasSuffix(p, "/..")) {
		cleaned += "/"
	}
	return cleaned
}

// sameSegments: there is nothing to resolve.
func sameSegments(p string) bool {
	return !strings.Contains(p, "//") && !slices.ContainsFunc(strings.Split(p, "/"), func(s string) bool { return s == "." || s == ".." })
}

// below reports whether a path is a rule's, or below it.
func below(p, rule string) bool {
	rule = strings.TrimSuffix(rule, "/")
	rest, ok := strings.CutPrefix(p, rule)
	return ok && (rest == "" || rest[0] == '/')
}
