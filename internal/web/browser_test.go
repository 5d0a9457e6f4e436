//go:build browser

package web

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"idp/internal/idptest/chromium"
)

// looks are the sizes and schemes in which every page is looked at.
var looks = []struct {
	width, height int64
	scheme        string
}{{320, 640, "light"}, {360, 740, "light"}, {360, 740, "dark"}, {1280, 800, "light"}, {1280, 800, "dark"}, {1920, 1080, "dark"}}

// measure returns what is wrong with the page as it is laid out now.
const measure = `(() => {
  const bad = [];
  for (const d of document.querySelectorAll("details")) d.open = true;
  if (document.documentElement.scrollWidth > innerWidth) bad.push("scrolls sideways: " + document.documentElement.scrollWidth);
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
    const box = e.getBoundingClientRect();
    if (box.height < 44 || box.right > innerWidth) bad.push(e.tagName + " is " + box.height + " high, ends at " + box.right);
  }
  return bad;
})()`

// typing reports whether the button is in sight while the password is typed.
const typing = `(() => {
  scrollTo(0, 0);
  document.activeElement?.blur();
  document.getElementById("password").focus();
  const box = document.querySelector("button.primary").getBoundingClientRect();
  return box.top >= 0 && box.bottom <= innerHeight;
})()`

func TestPagesInABrowser(t *testing.T) {
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
	defer srv.Close()
	ctx := chromium.Start(t, "")
	scripts := func(on bool) chromedp.Action { return emulation.SetScriptExecutionDisabled(!on) }
	var mu sync.Mutex
	var complaints []string
	chromedp.ListenTarget(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := ev.(type) {
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, e.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			complaints = append(complaints, e.Entry.Text)
		}
	})
	for _, look := range looks {
		for _, s := range states() {
			t.Run(fmt.Sprintf("%s-%d-%s", s.Name, look.width, look.scheme), func(t *testing.T) {
				var bad []string
				err := chromedp.Run(ctx, chromedp.EmulateViewport(look.width, look.height),
					emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}),
					scripts(s.Page != "formpost"), // which would leave before it is looked at
					chromedp.Navigate(srv.URL+"/"+s.Name), chromedp.Evaluate(measure, &bad))
				if err != nil {
					t.Fatal(err)
				}
				for _, b := range bad {
					t.Error(b)
				}
				chromium.Photograph(ctx, t, strings.TrimPrefix(t.Name(), "TestPagesInABrowser/"))
			})
		}
	}
	for _, s := range states() {
		if s.Page != "login" {
			continue
		}
		t.Run(s.Name+"-keyboard", func(t *testing.T) {
			var inSight bool
			err := chromedp.Run(ctx, chromedp.EmulateViewport(360, 320), chromedp.Navigate(srv.URL+"/"+s.Name), chromedp.Evaluate(typing, &inSight))
			if err != nil {
				t.Fatal(err)
			}
			if !inSight {
				t.Error("with the keyboard open and the password being typed, the button is out of sight")
			}
			chromium.Photograph(ctx, t, s.Name+"-keyboard")
		})
	}
	mu.Lock()
	defer mu.Unlock()
	for _, c := range complaints {
		if strings.HasPrefix(c, "Autofocus processing was blocked") {
			continue // a browser that was quick to focus something itself
		}
		if strings.Contains(c, "can escape its sandboxing") {
			continue // from a frame of our own origin; a site's is of another
		}
		t.Errorf("the browser complains: %s", c)
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
