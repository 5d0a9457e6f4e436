// Package templates embeds the pages: layout.html is the frame of each.
package templates

import "embed"

// FS holds the templates.
//
//go:embed *.html
var FS embed.FS
