// Command api-go is a back end that verifies access tokens and says who asks. The part
// to copy is the package bearer beside it.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"idp/examples/api-go/bearer"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "api-go:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to undo
	}
}

func run(ctx context.Context) error {
	issuer := flag.String("issuer", "http://localhost:8080", "`URL` of the OpenID provider")
	resource := flag.String("resource", "http://localhost:8000/", "`URI` that this back end is at the provider")
	listen := flag.String("listen", "127.0.0.1:8000", "`ADDRESS` to listen on")
	flag.Parse()

	tokens, err := bearer.New(ctx, *issuer, *resource)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /whoami", tokens.Require("notes:read", whoami))
	mux.Handle("POST /notes", tokens.Require("notes:write", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	server := &http.Server{Addr: *listen, Handler: mux, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
	slog.Info("serving", "listen", *listen, "resource", *resource, "issuer", *issuer)
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return server.Close()
	}
}

func whoami(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(bearer.Of(r.Context())) // a caller who has gone is told nothing
}
