package sites

import (
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxReadings bounds in how many ways one path is read; what has more is refused.
const maxReadings = 64

// maxOdd bounds a path that is read in several ways, in bytes.
const maxOdd = 2 << 10

// readings are all the paths that a program behind us may make of the path of a request
// as it was sent: with its escapes decoded, once or twice; with dots resolved and
// slashes merged; with what follows a semicolon cut off, and what a backslash is taken
// for. The rules are asked about each, and the request has to be
// allowed by all: whoever is refused at /admin/ must not get there by another spelling.
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
		unescape(p),
		strings.ReplaceAll(p, `\`, "/"),
		withoutParameters(p),
		withoutEnd(p),
		resolve(p),
		narrow(p),
	}
}

// sound: no program that cuts a text at a NUL, or turns broken UTF-8 into a slash,
// reads something else than we did. "%u002f" is an escape to some.
func sound(p string) bool {
	return utf8.ValidString(p) && !strings.ContainsFunc(p, func(c rune) bool { return c < ' ' || c == 0x7f }) && !strings.Contains(strings.ToLower(p), "%u00")
}

// unescape decodes each %xx once, and leaves what is none as it is.
func unescape(p string) string {
	if !strings.Contains(p, "%") {
		return p
	}
	var b strings.Builder
	for i := 0; i < len(p); i++ {
		if p[i] == '%' && i+2 < len(p) {
			hi, ok := unhex(p[i+1])
			lo, ok2 := unhex(p[i+2])
			if ok && ok2 {
				b.WriteByte(hi<<4 | lo)
				i += 2
				continue
			}
		}
		b.WriteByte(p[i])
	}
	return b.String()
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

// withoutEnd cuts at what begins a query or a fragment, once its escape is decoded.
func withoutEnd(p string) string {
	if i := strings.IndexAny(p, "?#"); i >= 0 {
		return p[:i]
	}
	return p
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

// narrow maps the wide forms of ASCII (U+FF01 to U+FF5E), which Unicode's compatible
// forms make the same (NFKC).
func narrow(p string) string {
	return strings.Map(func(c rune) rune {
		if 0xff01 <= c && c <= 0xff5e {
			return c - 0xfee0
		}
		return c
	}, p)
}

// below reports whether a path is a rule's, or below it.
func below(p, rule string) bool {
	rule = strings.TrimSuffix(rule, "/")
	rest, ok := strings.CutPrefix(p, rule)
	return ok && (rest == "" || rest[0] == '/')
}
