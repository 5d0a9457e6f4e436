package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"idp/web/templates"
)

// Brand is how the company's pages look.
type Brand struct {
	Name     string // of the company
	Logo     string // SVG or PNG file; empty: the name alone
	LogoDark string // the same for dark pages; empty: Logo
	Accent   string // #rrggbb; adjusted until its contrast suffices
	Help     string // URL of the company's help page; may be empty
	Texts    Texts
}

// Pages renders pages and serves their static files. Safe for concurrent use.
type Pages struct {
	brand     Brand
	templates map[string]*template.Template
	files     map[string]*file // by name
	css, js   string           // addresses
	icon      string
	logo      string // empty: none
	logoDark  string // empty: logo
	buffers   sync.Pool
}

// NewPages reads the logo and parses the templates.
func NewPages(b Brand) (*Pages, error) {
	p, err := dressed(b)
	if err != nil {
		return nil, err
	}
	return p, p.parse()
}

// Check is an error where NewPages would refuse a brand.
func (b Brand) Check() error {
	_, err := dressed(b)
	return err
}

// dressed are pages with all that a brand decides, but no templates yet: reading these
// takes most of the time of a start.
func dressed(b Brand) (*Pages, error) {
	if b.Name == "" {
		b.Name = "idp"
	}
	accent, err := parseAccent(b.Accent)
	if err != nil {
		return nil, err
	}
	if err := b.Texts.check(); err != nil {
		return nil, err
	}
	p := &Pages{brand: b, files: map[string]*file{}, templates: map[string]*template.Template{}}
	p.buffers.New = func() any { return new(bytes.Buffer) }
	return p, p.addFiles(accent)
}

func (p *Pages) parse() error {
	funcs := template.FuncMap{
		"date": func(t time.Time) string { return t.Format("Monday, 2 January 2006, 15:04") + " " + t.Format("MST") },
		// asset is the address of a script that few pages need.
		"asset": func(name string) string { return p.files[name].url },
		"place": func(here string) AccountFrame { return AccountFrame{Here: here} },
		"iso":   func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"own":   func() Texts { return p.brand.Texts },
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
	Brand             Brand
	CSS, JS, Icon     string
	LogoURL, LogoDark string
	Page              any
}

// layout of a page whose static files are below assets.
func (p *Pages) layout(assets string, data any) layout {
	at := func(path string) string {
		if path == "" {
			return ""
		}
		return assets + path
	}
	return layout{Brand: p.brand, CSS: at(p.css), JS: at(p.js), Icon: at(p.icon), LogoURL: at(p.logo), LogoDark: at(p.logoDark), Page: data}
}

// csp of pages. Those whose POST may end at a relying party, or at an upstream as a
// sign-out does, have no form-action, for Chromium applies it to the redirect too
// (measured).
const (
	csp         = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'"
	cspOwnForms = csp + "; form-action 'self'"
)

var leavesUs = map[string]bool{"login": true, "newpassword": true, "logout": true, "consent": true, "factor": true, "factorsetup": true, "recoverycodes": true, "denied": true, "stopped": true, "error": true, "formpost": true, "account": true, "sessions": true, "logins": true}

// submitScript is the one inline script there is: a file of its own would be one
// more round trip on every login by form_post. The CSP of that page has its hash.
const submitScript = "document.forms[0].submit()"

var cspSubmits = func() string {
	sum := sha256.Sum256([]byte(submitScript))
	hash := "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	return strings.Replace(csp, "script-src 'self'", "script-src 'self' "+hash, 1)
}()

// Render answers with a page: name is the template's, data one of the Page types.
// It fails before it writes anything. Pages are small and never compressed: they
// hold a form token beside what a visitor sent (BREACH).
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, name string, data any) error {
	return p.RenderFrames(w, r, status, name, data, nil)
}

// RenderFrames is Render for a page with frames of other sites, whose origins
// (https://wiki.example.com) are the only ones it may show.
func (p *Pages) RenderFrames(w http.ResponseWriter, r *http.Request, status int, name string, data any, origins []string) error {
	t, ok := p.templates[name]
	if !ok {
		return fmt.Errorf("no page %q", name)
	}
	buf, _ := p.buffers.Get().(*bytes.Buffer)
	defer p.buffers.Put(buf)
	buf.Reset()
	if err := t.Execute(buf, p.layout(InfoFrom(r.Context()).Assets, data)); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	frames := ""
	if len(origins) > 0 {
		frames = "; frame-src " + strings.Join(origins, " ")
	}
	switch {
	case name == "formpost":
		h.Set("Content-Security-Policy", cspSubmits)
		// With same-origin, which other pages have, browsers would send "Origin:
		// null" to the site; it may know who we are, and of our address no more.
		h.Set("Referrer-Policy", "origin")
	case leavesUs[name]:
		h.Set("Content-Security-Policy", csp+frames)
	default:
		h.Set("Content-Security-Policy", cspOwnForms+frames)
		// Not where a site may have opened us in a window of its own to log in.
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
	}
	h.Set("Content-Length", strconv.Itoa(buf.Len()))
	w.WriteHeader(status)
	if _, err := w.Write(buf.Bytes()); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) { // HEAD
		InfoFrom(r.Context()).Err = err // the visitor went away: nobody to answer
	}
	return nil
}
