package forwardauth_test

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"idp/internal/audit"
	"idp/internal/idptest"
	"idp/internal/kerberos/krbtest"
	"idp/internal/kerberos/wire"
	"idp/internal/store"
)

// realmOf is a realm whose KDCs are others, and a site of a server that asks them.
func realmOf(t *testing.T, libdefaults string, kdcs func(*krbtest.Realm) []string) (*krbtest.Realm, *idptest.Server, *site) {
	t.Helper()
	realm := krbtest.Start(t, krbtest.Options{})
	s := idptest.Start(t, idptest.Options{YAML: sites + idptest.KerberosYAML(realm)})
	realm.UseKDCs(t, libdefaults, kdcs(realm)...)
	return realm, s, protect(t, s, "open.localhost")
}

// asAlice asks as a program with alice's name and a password.
func (p *site) asAlice(t *testing.T, password string) answer {
	t.Helper()
	return p.put(t, asNginx(p, "/", "Authorization", idptest.Basic("alice", password)))
}

// asking counts goroutines that have to do with a password.
func asking() int {
	all := make([]byte, 64<<20)
	text := string(all[:runtime.Stack(all, true)])
	return strings.Count(text, "authn.(*Authn).PasswordInTime") + strings.Count(text, "kdc.(*race)")
}

// TestHolePasswordsWaitForDeadKDCs: proxies wait 5 s for an answer. A password that no KDC
// says anything about is refused before, and what that costs is bounded and ends; as soon
// as a KDC answers, so do we.
func TestHolePasswordsWaitForDeadKDCs(t *testing.T) {
	t.Parallel()
	dead := krbtest.DeadKDC(t)
	realm, s, p := realmOf(t, "", func(*krbtest.Realm) []string { return []string{dead} })
	unavailable := func(what string, a answer) {
		t.Helper()
		if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Retry-After") != "5" || a.Header.Get("Idp-Reason") != "UNAVAILABLE" ||
			!strings.Contains(a.body, `"error":"temporarily_unavailable"`) || a.Header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s: %d %v %s", what, a.StatusCode, a.Header, a.body)
		}
	}
	began := time.Now()
	unavailable("no KDC", p.asAlice(t, krbtest.AlicePassword))
	if took := time.Since(began); took > 10*time.Second { // of 3; a check of its own accord takes 15
		t.Errorf("the first is answered after %s", took)
	}
	rows, err := s.Store().Entries(t.Context(), store.Filter{Event: audit.LoginFailed})
	if err != nil || len(rows) != 1 || rows[0].Reason != "KDC_UNREACHABLE" || !strings.Contains(rows[0].Detail, "udp "+dead+": no answer") || !strings.Contains(rows[0].Detail, "tcp "+dead+": no answer") {
		t.Errorf("the audit log does not say why: %+v, %v", rows, err)
	}
	if lines := s.Log.Lines("reason=KDC_UNREACHABLE", "status=503", dead); len(lines) != 1 {
		t.Errorf("the log does not say why:\n%s", s.Log)
	}
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() { unavailable("one of many", p.asAlice(t, fmt.Sprint("guess ", i))) })
	}
	all.Wait()
	for deadline := time.Now().Add(5 * time.Minute); asking() > 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines are still asking", asking())
		}
	}
	realm.UseKDCs(t, "", dead, realm.Addr)
	if a := p.asAlice(t, krbtest.AlicePassword); a.StatusCode != http.StatusOK || a.Header.Get("Remote-User") != "alice" {
		t.Errorf("a KDC is there again: %d %v", a.StatusCode, a.Header)
	}
}

// TestHoleLateGuessesAreNotWrittenDown: a KDC that takes its time over a guess counts it;
// nobody is let wait for it, and what it says is in the audit log all the same.
func TestHoleLateGuessesAreNotWrittenDown(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	_, s, p := realmOf(t, "udp_preference_limit = 1", func(r *krbtest.Realm) []string {
		return []string{krbtest.FakeKDC(t, func(req []byte) []byte {
			if bytes.Contains(req, []byte{0xa1, 3, wire.TagInteger, 1, 2}) { // PA-ENC-TIMESTAMP
				<-release
			}
			reply, err := r.Relay(req)
			if err != nil {
				return []byte{}
			}
			return krbtest.Framed(reply)
		})}
	})
	a := p.asAlice(t, "wrong")
	if a.StatusCode != http.StatusServiceUnavailable || a.Header.Get("Idp-Reason") != "UNAVAILABLE" {
		t.Errorf("%d %v", a.StatusCode, a.Header)
	}
	if len(s.Log.Lines("status=503", "has not come to an end in time")) != 1 {
		t.Errorf("the log does not say why:\n%s", s.Log)
	}
	close(release)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		rows, err := s.Store().Entries(context.Background(), store.Filter{Event: audit.LoginFailed})
		if err == nil && len(rows) == 1 && rows[0].Reason == "BAD_PASSWORD" && rows[0].Name == "alice" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the audit log has %+v, %v", rows, err)
		}
	}
}
