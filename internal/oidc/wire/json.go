package wire

import (
	"encoding/json"
	"strconv"
)

// Object builds an object of JSON by appending: tokens are made thousands of
// times a second, and encoding/json would spend more on reflection than the
// signature costs. Names are constants that need no escaping.
type Object []byte

// NewObject is an empty object with room for size bytes.
func NewObject(size int) Object { return append(make(Object, 0, size), '{') }

func (o *Object) name(n string) {
	b := *o
	if len(b) > 1 {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, n...)
	*o = append(b, '"', ':')
}

// Text adds a string, unless it is empty.
func (o *Object) Text(name, value string) {
	if value == "" {
		return
	}
	o.name(name)
	*o = appendQuoted(*o, value)
}

// Number adds an integer.
func (o *Object) Number(name string, value int64) {
	o.name(name)
	*o = strconv.AppendInt(*o, value, 10)
}

// Time adds milliseconds as a NumericDate (RFC 7519 §2), unless they are 0.
func (o *Object) Time(name string, millis int64) {
	if millis != 0 {
		o.Number(name, millis/1000)
	}
}

// Boolean adds true or false.
func (o *Object) Boolean(name string, value bool) {
	o.name(name)
	*o = strconv.AppendBool(*o, value)
}

// Raw adds a value that is JSON already.
func (o *Object) Raw(name string, value []byte) {
	o.name(name)
	*o = append(*o, value...)
}

// List adds an array of strings, unless it is nil.
func (o *Object) List(name string, values []string) {
	if values == nil {
		return
	}
	o.name(name)
	b := append(*o, '[')
	for i, v := range values {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuoted(b, v)
	}
	*o = append(b, ']')
}

// Close ends the object and returns its bytes.
func (o *Object) Close() []byte { return append(*o, '}') }

// appendQuoted appends a string of JSON (RFC 8259 §7). Plain ASCII is copied;
// everything else is left to encoding/json.
func appendQuoted(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, err := json.Marshal(s)
			if err != nil { // strings always marshal
				panic(err)
			}
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}
