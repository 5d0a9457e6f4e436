//go:build interop

package interop_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// goSite is a site in the test's own process, for one visitor, who does one thing
// after another. It answers the paths that webSite uses.
type goSite struct {
	begin, finish http.Handler                          // of a login
	refresh       func(context.Context) (any, error)    // what there is to tell then
	signOut       func(context.Context) (string, error) // where to send the browser
}

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
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", r.Listen)
	must(t, err)
	server := httptest.NewUnstartedServer(mux)
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
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
