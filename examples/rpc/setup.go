package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"idp/examples/api-go/bearer"
	"idp/examples/demo/stage"
)

// What idp has to know. %[1]s, %[2]s and %[3]s are the three, which are resources.
const clientsYAML = `  - client_id: shell # what people have on the command line: it needs no secret, but their tickets
    client_name: Shell
    token_endpoint_auth_method: none
    grant_types: ["urn:ietf:params:oauth:grant-type:token-exchange"]
    scope: ledger:write ledger:read archive:write
    ticket_exchange: ["%[1]s"]
  - client_id: reports # the front end: takes tokens that were made for it to the ledger, and nowhere else
    client_secret_file: reports.secret
    grant_types: [client_credentials, "urn:ietf:params:oauth:grant-type:token-exchange"]
    scope: ledger:write ledger:read
    exchange: [{audience: "%[2]s", scopes: ["ledger:write", "ledger:read", "archive:write"], lifetime: 1m, from: ["%[1]s"]}]
  - client_id: ledger # takes those that were made for it to the archive
    client_secret_file: ledger.secret
    grant_types: ["urn:ietf:params:oauth:grant-type:token-exchange"]
    scope: archive:write
    exchange: [{audience: "%[3]s", scopes: ["archive:write"], lifetime: 1m, from: ["%[2]s"]}]
`

const resourcesYAML = `resources:
  - {uri: "%[1]s", clients: [shell]}
  - {uri: "%[2]s", clients: [reports]}
  - {uri: "%[3]s", clients: [ledger]}
`

// world is what runs: a KDC, idp, the front end and the two back ends.
type world struct {
	*stage.Stage
	http                     *http.Client
	tokenEndpoint            string
	reports, ledger, archive string // URLs, which are the audiences too
	toLedger, toArchive      *exchanger
	secrets                  map[string]string // of the clients, by id
	servers                  []*http.Server
}

func newWorld(ctx context.Context, dir, bin string) (w *world, err error) {
	w = &world{http: &http.Client{Timeout: 10 * time.Second}, secrets: map[string]string{"reports": rand.Text() + rand.Text(), "ledger": rand.Text() + rand.Text()}}
	var listeners []net.Listener
	for _, at := range []*string{&w.reports, &w.ledger, &w.archive} {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*at = "http://" + l.Addr().String()
		listeners = append(listeners, l)
	}
	for client, secret := range w.secrets {
		if err := os.WriteFile(filepath.Join(dir, client+".secret"), []byte(secret), 0o600); err != nil {
			return nil, err
		}
	}
	w.Stage, err = stage.Start(ctx, stage.Config{
		Dir: dir, Bin: bin, Out: os.Stdout, Host: "localhost",
		Clients: fmt.Sprintf(clientsYAML, w.reports, w.ledger, w.archive),
		YAML:    fmt.Sprintf(resourcesYAML, w.reports, w.ledger, w.archive),
	})
	if err != nil {
		return nil, err
	}
	if err = w.discover(ctx); err == nil {
		err = w.serve(ctx, listeners)
	}
	if err != nil {
		w.stop()
		return nil, err
	}
	return w, nil
}

// discover asks idp where tokens are had.
func (w *world) discover(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.Issuer+"/.well-known/openid-configuration", nil)
	if err != nil {
		return err
	}
	resp, err := w.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var provider struct {
		TokenEndpoint string `json:"token_endpoint"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&provider); err != nil {
		return err
	}
	w.tokenEndpoint = provider.TokenEndpoint
	_, err = url.ParseRequestURI(w.tokenEndpoint)
	return err
}

func (w *world) serve(ctx context.Context, listeners []net.Listener) error {
	w.toLedger = &exchanger{w.http, w.tokenEndpoint, "reports", w.secrets["reports"], w.ledger, "ledger:write ledger:read archive:write"}
	w.toArchive = &exchanger{w.http, w.tokenEndpoint, "ledger", w.secrets["ledger"], w.archive, "archive:write"}
	r := &reports{http: w.http, ledger: w.ledger, proofs: w.toLedger}
	l := &ledger{http: w.http, archive: w.archive, proofs: w.toArchive, entries: map[string][]entryV1{}}
	a := &archive{}
	for i, s := range []struct {
		audience string
		handler  func(*bearer.Verifier) http.Handler
	}{{w.reports, r.handler}, {w.ledger, l.handler}, {w.archive, a.handler}} {
		v, err := bearer.New(ctx, w.Issuer, s.audience)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: s.handler(v), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 10 * time.Second, WriteTimeout: 30 * time.Second}
		w.servers = append(w.servers, server)
		go func() { _ = server.Serve(listeners[i]) }() // until stop
	}
	return nil
}

func (w *world) stop() {
	for _, s := range w.servers {
		_ = s.Close()
	}
	w.Stop()
}
