//go:build interop

package interop_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// goSite is a site in the test's own process, for one visitor, who does one thing
// after another. It answers the paths that webSite uses.
type goSite struct {
	begin, finish http.Handler                          // of a login
	refresh       func(context.Context) (any, error)    // what there is to tell then
	signOut       func(context.Context) (string, error) // where to send the browser

	// device begins a login of a device: what it shows, and what there is to tell
	// when a person has answered. There may be several.
	device func(context.Context) (shown any, allowed answered, err error)
}

type answered func(context.Context) (any, error)

func (g *goSite) serve(t *testing.T, r *registration) {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /login", g.begin)
	mux.Handle("GET "+r.Callback, g.finish)
	mux.HandleFunc("POST /refresh", func(w http.ResponseWriter, req *http.Request) {
		what, err := g.refresh(req.Context())
		tell(w, what, err)
	})
	mux.HandleFunc("GET /sign-out", func(w http.ResponseWriter, req *http.Request) {
		to, err := g.signOut(req.Context())
		if err != nil {
			tell(w, nil, err)
			return
		}
		http.Redirect(w, req, to, http.StatusSeeOther)
	})
	mux.HandleFunc("GET /signed-out", func(w http.ResponseWriter, _ *http.Request) { tell(w, told{}, nil) })
	g.serveDevices(mux)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", r.Listen)
	must(t, err)
	server := httptest.NewUnstartedServer(mux)
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
}

// serveDevices answers what onADevice asks; a cookie says which device it is.
func (g *goSite) serveDevices(mux *http.ServeMux) {
	const cookie = "device"
	var waiting sync.Map
	mux.HandleFunc("POST /device", func(w http.ResponseWriter, req *http.Request) {
		shown, allowed, err := g.device(req.Context())
		id := rand.Text()
		waiting.Store(id, allowed)
		http.SetCookie(w, &http.Cookie{Name: cookie, Value: id, Path: "/"})
		tell(w, shown, err)
	})
	mux.HandleFunc("POST /allowed", func(w http.ResponseWriter, req *http.Request) {
		c, err := req.Cookie(cookie)
		if err != nil {
			tell(w, nil, err)
			return
		}
		allowed, _ := waiting.Load(c.Value)
		what, err := allowed.(answered)(req.Context())
		tell(w, what, err)
	})
}

// tell answers what a site has learned, or what went wrong.
func tell(w http.ResponseWriter, what any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		what = told{Message: err.Error()}
	}
	_ = json.NewEncoder(w).Encode(what) // a visitor who has gone is told nothing
}
