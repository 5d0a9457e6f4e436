// Package migrations holds the schema as numbered SQL files. They only go
// forward, and each has to let the previous release keep running: add first
// (release N), remove when nothing uses it any more (release N+1). A change that
// an older binary would get wrong raises schema_support.oldest_binary, and
// binaryLevel in package store with it.
package migrations

import "embed"

// Files are the migrations, applied by package store in the order of their numbers.
//
//go:embed *.sql
var Files embed.FS
