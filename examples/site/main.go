// Command site is a small web site that lets people log in through an OpenID
// provider: the relying party of the demo, which runs it twice, as "Wiki" and as
// "Tickets". It is written to be read and copied.
//
// What every relying party has to do is in relyingparty.go: the authorization
// code flow with PKCE, state and nonce, the checks of the ID token, and sign-out
// at the provider. The site keeps a session of its own (memory.go), so the
// provider is asked once per login and not once per page.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "site:", err)
		os.Exit(1) //nolint:gocritic // stop has nothing left to undo
	}
}

// options are the flags; each can also be set by the environment, --client-id
// by SITE_CLIENT_ID and so on.
type options struct {
	listen, name, url      string
	issuer, clientID       string
	clientSecretFile       string
	tlsCertificate, tlsKey string
	discoveryPatience      time.Duration
}

func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("site", flag.ContinueOnError)
	text := func(p *string, name, value, usage string) {
		if v := os.Getenv("SITE_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))); v != "" {
			value = v
		}
		f.StringVar(p, name, value, usage)
	}
	text(&o.listen, "listen", "127.0.0.1:3000", "`ADDRESS` to listen on")
	text(&o.name, "name", "Wiki", "`NAME` of the site, for people")
	text(&o.url, "url", "http://localhost:3000", "`URL` under which browsers reach this site")
	text(&o.issuer, "issuer", "http://localhost:8080", "`URL` of the OpenID provider")
	text(&o.clientID, "client-id", "wiki", "`ID` the provider knows this site by")
	text(&o.clientSecretFile, "client-secret-file", "", "`FILE` with the client secret on its first line")
	text(&o.tlsCertificate, "tls-certificate", "", "`FILE` with the site's certificate, PEM; none: plain HTTP")
	text(&o.tlsKey, "tls-key", "", "`FILE` with its key, PEM")
	f.DurationVar(&o.discoveryPatience, "patience", 30*time.Second, "how long to wait for the provider at start")
	return o, f.Parse(args)
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	address, err := url.Parse(o.url)
	if err != nil {
		return fmt.Errorf("--url: %w", err)
	}
	rp, err := discover(ctx, o, address)
	if err != nil {
		return err
	}
	server := &http.Server{
		Addr:              o.listen,
		Handler:           newSite(o.name, address, rp),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
	}
	return serve(ctx, server, o)
}

// discover waits for the provider, which may be starting at the same time.
func discover(ctx context.Context, o *options, address *url.URL) (*relyingParty, error) {
	secret, err := readSecret(o.clientSecretFile)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, o.discoveryPatience)
	defer cancel()
	retry := time.NewTicker(200 * time.Millisecond)
	defer retry.Stop()
	for {
		rp, err := newRelyingParty(ctx, o.issuer, o.clientID, secret, address)
		if err == nil {
			return rp, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the provider %s does not answer: %w", o.issuer, err)
		case <-retry.C:
		}
	}
}

// readSecret reads the first line of a file; the secret is in a file because
// command lines and environments can be read by others.
func readSecret(path string) (string, error) {
	if path == "" {
		return "", errors.New("--client-secret-file is missing")
	}
	text, err := os.ReadFile(path) //nolint:gosec // whoever starts the site names the file
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line == "" {
		return "", fmt.Errorf("%s: the first line is empty", path)
	}
	return line, nil
}

// serve runs the server until ctx ends, then lets requests under way finish.
func serve(ctx context.Context, server *http.Server, o *options) error {
	failed := make(chan error, 1)
	go func() {
		if o.tlsCertificate != "" {
			failed <- server.ListenAndServeTLS(o.tlsCertificate, o.tlsKey)
			return
		}
		failed <- server.ListenAndServe()
	}()
	slog.Info("serving", "site", o.name, "url", o.url, "issuer", o.issuer)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	return server.Shutdown(drain)
}
