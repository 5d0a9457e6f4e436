package oidc

import (
	"encoding/json"
	"strconv"
)

// object builds an object of JSON by appending: tokens are made thousands of
// times a second, and encoding/json would spend more on reflection than the
// signature costs. Names are constants that need no escaping.
type object []byte

func newObject(size int) object { return append(make(object, 0, size), '{') }

func (o *object) name(n string) {
	b := *o
	if len(b) > 1 {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, n...)
	*o = append(b, '"', ':')
}

// text adds a string, unless it is empty.
func (o *object) text(name, value string) {
	if value == "" {
		return
	}
	o.name(name)
	*o = appendQuoted(*o, value)
}

// number adds an integer.
func (o *object) number(name string, value int64) {
	o.name(name)
	*o = strconv.AppendInt(*o, value, 10)
}

// time adds milliseconds as a NumericDate (RFC 7519 §2), unless they are 0.
func (o *object) time(name string, millis int64) {
	if millis != 0 {
		o.number(name, millis/1000)
	}
}

// boolean adds true or false.
func (o *object) boolean(name string, value bool) {
	o.name(name)
	*o = strconv.AppendBool(*o, value)
}

// raw adds a value that is JSON already.
func (o *object) raw(name string, value []byte) {
	o.name(name)
	*o = append(*o, value...)
}

// list adds an array of strings, unless it is nil.
func (o *object) list(name string, values []string) {
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

// close ends the object and returns its bytes.
func (o *object) close() []byte { return append(*o, '}') }

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
