// Package common is the list of the passwords that people choose most; README says
// where it is from.
package common

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the list
	"io"
	"slices"
	"strings"
	"sync"
)

//go:embed passwords.txt.gz
var packed []byte

var list = sync.OnceValue(func() []string {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil { // it is part of the program
		panic(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		panic(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
})

// Has reports whether a password, in small letters, is in the list.
func Has(password string) bool {
	_, found := slices.BinarySearch(list(), password)
	return found
}
