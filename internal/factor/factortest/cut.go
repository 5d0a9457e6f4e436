package factortest

import (
	"encoding/base64"
	"encoding/json"
	"testing"
)

// Lengths is the length of a binary part of an answer, to range over.
func Lengths(t testing.TB, answer, part string) int {
	t.Helper()
	_, response := read(t, answer)
	return len(decode(t, response[part]))
}

// Cut is an answer with no more than n bytes of one of its binary parts.
func Cut(t testing.TB, answer, part string, n int) string {
	t.Helper()
	whole, response := read(t, answer)
	response[part] = b64(decode(t, response[part])[:n])
	whole["response"] = response
	b, err := json.Marshal(whole)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func read(t testing.TB, answer string) (whole, response map[string]any) {
	t.Helper()
	if err := json.Unmarshal([]byte(answer), &whole); err != nil {
		t.Fatal(err)
	}
	response, _ = whole["response"].(map[string]any)
	return whole, response
}

func decode(t testing.TB, text any) []byte {
	t.Helper()
	s, _ := text.(string)
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
