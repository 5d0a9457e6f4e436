//go:build browser

package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"idp/internal/idptest/chromium"
)

// look is a size and a scheme in which every page is looked at. Zoom is how many of
// the screen's pixels make one of the page's.
type look struct {
	width, height int64
	zoom          float64
	scheme        string
}

func (l look) String() string {
	zoom := ""
	if l.zoom > 1 {
		zoom = fmt.Sprintf("-zoomed-%g", l.zoom)
	}
	return fmt.Sprintf("%d%s-%s", l.width, zoom, l.scheme)
}

// looks: 320 is also what is left of 1280 at 400 % (WCAG 2.2, 1.4.10), 640 at 200 %.
var looks = []look{
	{320, 640, 1, "light"}, {360, 740, 1, "light"}, {360, 740, 1, "dark"}, {640, 400, 2, "light"},
	{768, 1024, 1, "light"}, {1280, 800, 1, "light"}, {1280, 800, 1, "dark"}, {1920, 1080, 1, "dark"},
}

// measure returns what is wrong with the page as it is laid out now.
const measure = `(() => {
  const bad = [];
  for (const d of document.querySelectorAll("details")) d.open = true;
  if (document.documentElement.scrollWidth > document.documentElement.clientWidth) bad.push("scrolls sideways: " + document.documentElement.scrollWidth);
  const lum = c => { const [r,g,b] = c.map(v => { v /= 255; return v <= 0.04045 ? v/12.92 : ((v+0.055)/1.055)**2.4; }); return 0.2126*r+0.7152*g+0.0722*b; };
  const parse = s => s.match(/[\d.]+/g).map(Number);
  const ground = e => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c.length === 3 || c[3] > 0) return c.slice(0,3); } return [255,255,255]; };
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.getClientRects().length) continue;
    const a = lum(parse(getComputedStyle(e).color).slice(0,3)), b = lum(ground(e));
    const ratio = (Math.max(a,b)+0.05)/(Math.min(a,b)+0.05);
    if (ratio < 4.5) bad.push(e.tagName + " " + e.className + " contrast " + ratio.toFixed(2));
  }
  for (const e of document.querySelectorAll(".primary, .secondary, input:not([type=hidden])")) {
    const small = e.type === "checkbox" || e.type === "radio"; // one hits its label
    const box = (small ? e.closest("label") : e).getBoundingClientRect();
    if (box.height < (small ? 24 : 44) || box.right > innerWidth) bad.push(e.tagName + " is " + box.height + " high, ends at " + box.right);
  }
  return bad;
})()`

// countFields is how many fields of a form there are.
const countFields = `document.querySelectorAll("form .field input").length`

// typing returns the last field of each form in which somebody types, where the
// form's button is out of sight meanwhile.
const typing = `(() => {
  const hidden = [];
  for (const form of document.forms) {
    const field = [...form.querySelectorAll(".field input:not([type=hidden]):not([readonly])")].pop();
    if (!field) continue;
    scrollTo(0, 0);
    document.activeElement?.blur();
    field.focus();
    const box = form.querySelector("button[type=submit]").getBoundingClientRect();
    if (box.top < 0 || box.bottom > innerHeight) hidden.push(field.id + " (" + Math.round(box.top) + " to " + Math.round(box.bottom) + " of " + innerHeight + ")");
  }
  return hidden;
})()`

// serveStates is a server with every page in every state, each at its name.
func serveStates(t *testing.T) (address string) {
	t.Helper()
	p := newPages(t)
	mux := http.NewServeMux()
	mux.Handle("GET /static/", p.Static())
	mux.HandleFunc("GET /frame", func(http.ResponseWriter, *http.Request) {}) // what a site shows when it is told
	for _, s := range states() {
		s.Status = http.StatusOK // a headless browser shows a 401's body only behind a challenge
		mux.Handle("GET /"+s.Name, p.Handle(func(w http.ResponseWriter, r *http.Request) error {
			return p.RenderFrames(w, r, s.Status, s.Page, s.Data, []string{"'self'"}) // where a page has frames, they are of this server here
		}))
	}
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)
	return srv.URL
}

// startStaying starts a browser in which the page that leaves by itself stays.
func startStaying(t *testing.T) context.Context {
	t.Helper()
	ctx := chromium.Start(t, "")
	err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) error {
		_, err := page.AddScriptToEvaluateOnNewDocument("HTMLFormElement.prototype.submit = () => {}").Do(ctx)
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	return ctx
}

// open shows a page in a size and a scheme.
func (l look) open(address string, s state) chromedp.Action {
	return chromedp.Tasks{
		chromedp.EmulateViewport(l.width, l.height, chromedp.EmulateScale(max(l.zoom, 1))),
		emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: l.scheme}}),
		chromedp.Navigate(address + "/" + s.Name),
	}
}

func TestPagesInABrowser(t *testing.T) {
	address := serveStates(t)
	for _, look := range looks {
		t.Run(look.String(), func(t *testing.T) {
			for some := range slices.Chunk(states(), perBrowser) {
				look.measure(t, address, some)
			}
		})
	}
}

// perBrowser is how many pages are looked at in one browser, which has two minutes.
const perBrowser = 25

func (l look) measure(t *testing.T, address string, states []state) {
	t.Helper()
	ctx := startStaying(t)
	complained := complaints(ctx)
	for _, s := range states {
		var bad []string
		if err := chromedp.Run(ctx, l.open(address, s), chromedp.Evaluate(measure, &bad)); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		for _, b := range bad {
			t.Errorf("%s: %s", s.Name, b)
		}
		chromium.PhotographWhole(ctx, t, s.Name+"-"+l.String())
	}
	for _, c := range complained() {
		t.Errorf("the browser complains: %s", c)
	}
}

// complaints collects what the browser says on its console, from now on.
func complaints(ctx context.Context) (all func() []string) {
	var mu sync.Mutex
	var list []string
	hear := func(text string) {
		if strings.HasPrefix(text, "Autofocus processing was blocked") {
			return // a browser that was quick to focus something itself
		}
		if strings.Contains(text, "can escape its sandboxing") {
			return // from a frame of our own origin; a site's is of another
		}
		mu.Lock()
		defer mu.Unlock()
		list = append(list, text)
	}
	chromedp.ListenTarget(ctx, func(ev any) {
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			hear(e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			hear(e.Entry.Text)
		}
	})
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(list)
	}
}

// With the keyboard of a telephone open, a third of a window remains.
func TestTheButtonStaysInSightWhileOneTypes(t *testing.T) {
	address := serveStates(t)
	for _, height := range []int64{320, 400} {
		for some := range slices.Chunk(states(), perBrowser) {
			look{width: 360, height: height, scheme: "light"}.typeInto(t, address, some)
		}
	}
}

func (l look) typeInto(t *testing.T, address string, states []state) {
	t.Helper()
	ctx := startStaying(t)
	for _, s := range states {
		var fields int
		var hidden []string
		if err := chromedp.Run(ctx, l.open(address, s), chromedp.Evaluate(countFields, &fields), chromedp.Evaluate(typing, &hidden)); err != nil {
			t.Fatalf("%s: %v", s.Name, err)
		}
		for _, field := range hidden {
			t.Errorf("%s, %s: while %s is typed, the button is out of sight", s.Name, l, field)
		}
		if fields > 0 {
			chromium.Photograph(ctx, t, s.Name+"-keyboard")
		}
	}
}

// The page leaves by itself, under its own CSP, for another site; and by its
// button where scripts do not run. The site learns from where it comes.
func TestFormPostArrivesAtTheSite(t *testing.T) {
	arrived := make(chan *http.Request, 1)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.ParseForm() == nil {
			arrived <- r
		}
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!doctype html><title>there</title><p id=there>there</p>"))
	}))
	defer site.Close()
	p := newPages(t)
	srv := httptest.NewServer(p.Handle(func(w http.ResponseWriter, r *http.Request) error {
		return p.Render(w, r, http.StatusOK, "formpost", FormPostPage{Site: &Site{Name: "Wiki", Host: "wiki"}, Action: site.URL + "/cb?x=1", Fields: map[string]string{"code": "c+&"}})
	}))
	defer srv.Close()
	ctx := chromium.Start(t, "")
	for _, scripts := range []bool{true, false} {
		actions := []chromedp.Action{emulation.SetScriptExecutionDisabled(!scripts), chromedp.Navigate(srv.URL + "/authorize?secret=1")}
		if !scripts {
			actions = append(actions, chromedp.Click("button.primary", chromedp.ByQuery))
		}
		if err := chromedp.Run(ctx, append(actions, chromedp.WaitVisible("#there", chromedp.ByQuery))...); err != nil {
			t.Fatal(err)
		}
		r := <-arrived
		if r.Form.Get("code") != "c+&" || r.Form.Get("x") != "1" || len(r.Form) != 2 {
			t.Errorf("scripts %v: arrived %v", scripts, r.Form)
		}
		if r.Header.Get("Origin") != srv.URL || r.Header.Get("Referer") != srv.URL+"/" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			t.Errorf("scripts %v: header %v", scripts, r.Header)
		}
	}
}
