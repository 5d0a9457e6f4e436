package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"idp/web/static"
	"idp/web/templates"
)

// Brand is how the company's pages look.
type Brand struct {
	Name   string // of the company
	Logo   string // SVG or PNG file; empty: the name alone
	Accent string // #rrggbb; adjusted until its contrast suffices
	Help   string // URL of the company's help page; may be empty
}

// maxLogo bounds the logo, in bytes: a page weighs under 30 KB.
const maxLogo = 200 << 10

// Pages renders pages and serves their static files. Safe for concurrent use.
type Pages struct {
	brand     Brand
	templates map[string]*template.Template
	files     map[string]*file // by address
	css, js   string           // addresses
	logo      string           // address; empty: none
	buffers   sync.Pool
}

// file is a static file, under an address that holds the hash of its content.
type file struct {
	url         string
	contentType string
	plain, gz   []byte
}

// NewPages parses the templates and reads the logo.
func NewPages(b Brand) (*Pages, error) {
	if b.Name == "" {
		b.Name = "idp"
	}
	accent, err := parseAccent(b.Accent)
	if err != nil {
		return nil, err
	}
	p := &Pages{brand: b, files: map[string]*file{}, templates: map[string]*template.Template{}}
	p.buffers.New = func() any { return new(bytes.Buffer) }
	if err := p.addFiles(accent); err != nil {
		return nil, err
	}
	return p, p.parse()
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
	if p.brand.Logo == "" {
		return nil
	}
	logo, err := os.ReadFile(p.brand.Logo)
	if err != nil {
		return fmt.Errorf("brand.logo: %w", err)
	}
	types := map[string]string{".svg": "image/svg+xml", ".png": "image/png"}
	ext := strings.ToLower(path.Ext(p.brand.Logo))
	if types[ext] == "" || len(logo) > maxLogo {
		return fmt.Errorf("brand.logo: want an SVG or PNG file of at most %d KB", maxLogo>>10)
	}
	p.logo = p.add("logo"+ext, types[ext], logo)
	return nil
}

// add keeps a file and returns its address.
func (p *Pages) add(name, contentType string, body []byte) string {
	sum := sha256.Sum256(body)
	ext := path.Ext(name)
	f := &file{contentType: contentType, plain: body}
	f.url = "/static/" + strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
	var gz bytes.Buffer
	w := gzip.NewWriter(&gz)
	_, _ = w.Write(body)
	_ = w.Close()
	f.gz = gz.Bytes()
	p.files[f.url] = f
	return f.url
}

func (p *Pages) parse() error {
	funcs := template.FuncMap{
		"date": func(t time.Time) string { return t.Format("Monday, 2 January 2006, 15:04") + " " + t.Format("MST") },
		"iso":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	}
	names, err := fs.Glob(templates.FS, "*.html")
	if err != nil {
		return err
	}
	for _, name := range names {
		if name == "layout.html" {
			continue
		}
		t, err := template.New("layout.html").Funcs(funcs).ParseFS(templates.FS, "layout.html", name)
		if err != nil {
			return err
		}
		p.templates[strings.TrimSuffix(name, ".html")] = t
	}
	return nil
}

// layout is what every page's frame shows.
type layout struct {
	Brand            Brand
	CSS, JS, LogoURL string
	Page             any
}

// csp of pages. Those whose POST may end at a relying party have no form-action,
// for Chromium applies it to the redirect too (measured).
const (
	csp         = "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; base-uri 'none'; frame-ancestors 'none'"
	cspOwnForms = csp + "; form-action 'self'"
)

var leavesUs = map[string]bool{"login": true, "logout": true, "consent": true, "denied": true, "error": true}

// Render answers with a page: name is the template's, data one of the Page types.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	t, ok := p.templates[name]
	if !ok {
		return fmt.Errorf("no page %q", name)
	}
	buf, _ := p.buffers.Get().(*bytes.Buffer)
	defer p.buffers.Put(buf)
	buf.Reset()
	if err := t.Execute(buf, layout{Brand: p.brand, CSS: p.css, JS: p.js, LogoURL: p.logo, Page: data}); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", cspOwnForms)
	if leavesUs[name] {
		h.Set("Content-Security-Policy", csp)
	}
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(buf.Bytes())
	if err != nil {
		InfoFrom(r.Context()).Err = err // the visitor went away: nobody to answer
	}
	return nil
}

// Handle serves a handler, and a page for the error it returns.
func (p *Pages) Handle(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			p.renderError(w, r, err)
		}
	})
}

// ErrorPage is the page of an Error.
type ErrorPage struct {
	Title, Message, Hint string
	Links                []Link
	Reference            string
}

func (p *Pages) renderError(w http.ResponseWriter, r *http.Request, err error) {
	info := InfoFrom(r.Context())
	var e *Error
	if !errors.As(err, &e) {
		info.Err = err
		e = &Error{Status: http.StatusInternalServerError, Title: "Something went wrong here",
			Message: "It is our fault, not yours.", Hint: "Try again in a minute. If it happens again, read the reference below to your support."}
	} else if e.Err != nil && info.Err == nil {
		info.Err = e.Err
	}
	if info.Reason == "" {
		info.Reason = e.Code
	}
	for k, v := range e.Header {
		w.Header()[k] = v
	}
	page := ErrorPage{Title: e.Title, Message: e.Message, Hint: e.Hint, Links: e.Links, Reference: Reference(info, time.Now())}
	if renderErr := p.Render(w, r, e.Status, "error", page); renderErr != nil {
		info.Err = errors.Join(info.Err, renderErr)
		http.Error(w, e.Title, e.Status)
	}
}

// ServeNotFound is for every path that is none of ours.
func (p *Pages) ServeNotFound(http.ResponseWriter, *http.Request) error {
	return &Error{Status: http.StatusNotFound, Title: "There is no page here", Message: "The address is wrong or no longer in use.",
		Links: []Link{{"Go to your account", "/account"}}}
}

// Static serves the static files: their addresses change with their content, so
// browsers keep them for ever.
func (p *Pages) Static() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f, ok := p.files[r.URL.Path]
		if !ok {
			http.Error(w, "no such file", http.StatusNotFound)
			return
		}
		h := w.Header()
		h.Set("Content-Type", f.contentType)
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
		h.Set("Vary", "Accept-Encoding")
		body := f.plain
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") && len(f.gz) < len(f.plain) {
			h.Set("Content-Encoding", "gzip")
			body = f.gz
		}
		h.Set("Content-Length", strconv.Itoa(len(body)))
		w.WriteHeader(http.StatusOK)
		_, _ = w.Write(body)
	})
}
