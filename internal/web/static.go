package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"idp/web/static"
)

// maxLogo bounds the logo, in bytes.
const maxLogo = 200 << 10

// file is a static file. Its address holds the hash of its content, so browsers
// may keep it for ever.
type file struct {
	url, etag   string
	contentType string
	plain, gz   []byte
}

func (p *Pages) addFiles(accent rgb) error {
	css, err := static.FS.ReadFile("idp.css")
	if err != nil {
		return err
	}
	p.css = p.add("idp.css", "text/css; charset=utf-8", append(css, accentCSS(accent)...))
	js, err := static.FS.ReadFile("idp.js")
	if err != nil {
		return err
	}
	p.js = p.add("idp.js", "text/javascript; charset=utf-8", js)
	passkey, err := static.FS.ReadFile("passkey.js")
	if err != nil {
		return err
	}
	p.add("passkey.js", "text/javascript; charset=utf-8", passkey)
	p.icon = p.add("icon.svg", "image/svg+xml; charset=utf-8", icon(p.brand.Name, accent))
	if p.logo, err = p.addLogo("brand.logo", "logo", p.brand.Logo); err != nil {
		return err
	}
	p.logoDark, err = p.addLogo("brand.logo_dark", "logo-dark", p.brand.LogoDark)
	return err
}

// addLogo adds a logo and returns its address; none where no file is named.
func (p *Pages) addLogo(key, name, file string) (string, error) {
	if file == "" {
		return "", nil
	}
	logo, err := os.ReadFile(file) //nolint:gosec // the administrator names it
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	types := map[string]string{".svg": "image/svg+xml; charset=utf-8", ".png": "image/png"}
	ext := strings.ToLower(path.Ext(file))
	if types[ext] == "" || len(logo) > maxLogo {
		return "", fmt.Errorf("%s: want an SVG or PNG file of at most %d KB", key, maxLogo>>10)
	}
	return p.add(name+ext, types[ext], logo), nil
}

// icon is what a browser's tab shows: the company's first letter on its accent.
func icon(name string, accent rgb) []byte {
	letter, _ := utf8.DecodeRuneInString(name)
	const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="%s"/>` +
		`<text x="16" y="22.5" text-anchor="middle" font-family="system-ui,sans-serif" font-size="18" font-weight="600" fill="#fff">%s</text></svg>`
	return fmt.Appendf(nil, svg, accent.onLight(), html.EscapeString(string(unicode.ToUpper(letter))))
}

// add keeps a file and returns its address.
func (p *Pages) add(name, contentType string, body []byte) string {
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:6])
	ext := path.Ext(name)
	f := &file{url: "/static/" + strings.TrimSuffix(name, ext) + "." + hash + ext, etag: `"` + hash + `"`, contentType: contentType, plain: body}
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, _ = w.Write(body)
	_ = w.Close()
	f.gz = gz.Bytes()
	p.files[name] = f
	return f.url
}

// find returns the file of an address. One with another hash is found too, by
// its name: during an upgrade one node renders the page and another one is asked
// for its style sheet.
func (p *Pages) find(address string) *file {
	base := strings.TrimPrefix(address, "/static/")
	name, rest, _ := strings.Cut(base, ".")
	return p.files[name+path.Ext(rest)]
}

// Static serves the static files.
func (p *Pages) Static() http.Handler { return p.Handle(p.serveStatic) }

func (p *Pages) serveStatic(w http.ResponseWriter, r *http.Request) error {
	f := p.find(r.URL.Path)
	if f == nil {
		return p.ServeNotFound(w, r)
	}
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Path == f.url {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	h.Set("Etag", f.etag)
	h.Set("Vary", "Accept-Encoding")
	if strings.HasPrefix(f.contentType, "image/svg") { // a document when opened by itself: it may be styled, and nothing else
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	}
	if r.Header.Get("If-None-Match") == f.etag {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	body := f.plain
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && len(f.gz) < len(f.plain) {
		h.Set("Content-Encoding", "gzip")
		body = f.gz
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body) // whoever left needs no answer
	return nil
}
