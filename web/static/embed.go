// Package static embeds the style sheet and the one small script of the pages.
package static

import "embed"

// FS holds the files.
//
//go:embed idp.css idp.js
var FS embed.FS
