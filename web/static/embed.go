// Package static embeds the style sheet of the pages, their one small script, and the one of the
// pages that ask for passkeys.
package static

import "embed"

// FS holds the files.
//
//go:embed idp.css idp.js passkey.js
var FS embed.FS
