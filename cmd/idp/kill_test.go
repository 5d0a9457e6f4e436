package main

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	_ "modernc.org/sqlite" // for checkDatabase
)

// TestKillLosesNothingAcknowledged kills the server with SIGKILL while sites post
// authorization requests to it. Each one acknowledged before was stored, so the
// next server has to honour it, and SQLite has to find its file sound.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	p := newPlace(t, "clients: [{client_id: app, token_endpoint_auth_method: none, redirect_uris: [\"http://127.0.0.1/cb\"]}]\n")
	for range 3 {
		cmd, _ := p.Serve()
		kept := p.postUntilKilled(cmd)
		p.checkDatabase()
		cmd, _ = p.Serve()
		for state, location := range kept {
			status, to := p.location(http.MethodGet, location, nil)
			back, err := url.Parse(to)
			if err != nil || back.Path != "/cb" || back.Query().Get("error") != "login_required" || back.Query().Get("state") != state {
				t.Fatalf("an acknowledged request is lost: %d to %q, want login_required and state %s", status, to, state)
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

// postUntilKilled posts authorization requests from eight sides and kills the
// server in the midst of them. It returns what was acknowledged: where to go on,
// by the request's state. An address may have 2,000 pending in all.
func (p *place) postUntilKilled(cmd *exec.Cmd) map[string]string {
	p.T.Helper()
	type answer struct{ state, location string }
	answers, done := make(chan answer), make(chan struct{})
	var killed atomic.Bool
	var posting sync.WaitGroup
	for i := range 8 {
		posting.Go(func() {
			for n := 0; ; n++ {
				state := fmt.Sprintf("%d-%d", i, n)
				status, to, err := p.try(http.MethodPost, p.URL+"/authorize", authorizeForm(state))
				if err != nil {
					if !killed.Load() {
						p.T.Errorf("before the kill: %v", err)
					}
					return
				}
				if status != http.StatusSeeOther || !strings.HasPrefix(to, p.URL+"/authorize?") || !strings.Contains(to, "request_uri=") {
					p.T.Errorf("%d to %q, want to be sent on to the request that was stored", status, to)
					return
				}
				answers <- answer{state, to}
			}
		})
	}
	go func() { posting.Wait(); close(done) }()
	kept := map[string]string{}
	for {
		select {
		case a := <-answers:
			kept[a.state] = a.location
			if len(kept) == 200 {
				killed.Store(true)
				_ = cmd.Process.Kill()
			}
		case <-done:
			if len(kept) < 200 {
				p.T.Fatalf("%d requests were acknowledged, want 200 and a kill", len(kept))
			}
			_ = cmd.Wait()
			return kept
		}
	}
}

func authorizeForm(state string) url.Values {
	return url.Values{
		"response_type": {"code"}, "client_id": {"app"}, "redirect_uri": {"http://127.0.0.1/cb"}, "scope": {"openid"}, "prompt": {"none"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"}, "state": {state},
	}
}

// checkDatabase asks SQLite whether the file is sound.
func (p *place) checkDatabase() {
	p.T.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(p.Dir, "idp.db"))
	if err != nil {
		p.T.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	var result string
	if err := db.QueryRow("PRAGMA integrity_check").Scan(&result); err != nil || result != "ok" {
		p.T.Fatalf("integrity_check: %v %s, want ok", err, result)
	}
}
