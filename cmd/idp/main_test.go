package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"idp/internal/command/commandtest"
)

func TestMain(m *testing.M) { commandtest.Main(m) }

// place is one that can also be broken, looked at by doctor, and killed.
type place struct {
	*commandtest.Place

	nicer []string // pairs: what outputs have of this run, and what readers see in its place
}

func newPlace(t *testing.T, yaml string) *place {
	t.Helper()
	return &place{Place: commandtest.New(t, yaml)}
}

func TestUsersAndClients(t *testing.T) {
	p := newPlace(t, "clients: [{client_id: filed, token_endpoint_auth_method: none, redirect_uris: [\"http://127.0.0.1/cb\"]}]\n")
	p.MustRun("a good password\n", "user", "add", "carol", "--password-file", "-", "--email", "carol@example.com", "--group", "a", "--group", "b", "--admin")
	if _, errs, err := p.Run("a good password\n", "user", "add", "carol", "--password-file", "-"); err == nil || !strings.Contains(errs, "taken") {
		t.Errorf("a second carol: %v %s", err, errs)
	}
	if _, errs, err := p.Run("short\n", "user", "add", "dave", "--password-file", "-"); err == nil || !strings.Contains(errs, "characters") {
		t.Errorf("a short password: %v %s", err, errs)
	}
	if _, errs, err := p.Run("a good password\n", "user", "add", "Carol", "--password-file", "-"); err == nil || !strings.Contains(errs, "carol") {
		t.Errorf("a Carol beside carol: %v %s", err, errs)
	}
	p.MustRun("", "user", "disable", "carol")
	if list := p.MustRun("", "user", "list"); !strings.Contains(list, "carol@example.com") || !strings.Contains(list, "a,b") || !strings.Contains(list, "disabled,admin") {
		t.Errorf("user list:\n%s", list)
	}
	p.MustRun("", "user", "enable", "carol")
	p.MustRun("", "user", "admin", "carol", "--remove")
	p.MustRun("another password\n", "user", "passwd", "carol", "--password-file", "-")
	if list := p.MustRun("", "user", "list"); strings.Contains(list, "disabled") || strings.Contains(list, "admin") {
		t.Errorf("user list:\n%s", list)
	}
	if _, errs, err := p.Run("", "user", "disable", "nobody"); err == nil || !strings.Contains(errs, "nobody") {
		t.Errorf("disable nobody: %v %s", err, errs)
	}
	out := p.MustRun("", "client", "add", "wiki", "--redirect-uri", "https://wiki.example.com/cb", "--name", "Wiki")
	if !strings.Contains(out, "client_secret: ") {
		t.Errorf("client add prints no secret:\n%s", out)
	}
	shown := p.MustRun("", "client", "show", "wiki")
	if strings.Contains(shown, "secret_hashes") || !strings.Contains(shown, "ES256") {
		t.Errorf("client show:\n%s", shown)
	}
	if _, errs, err := p.Run("", "client", "add", "filed", "--public", "--redirect-uri", "http://127.0.0.1/cb"); err == nil || !strings.Contains(errs, "configuration file owns") {
		t.Errorf("a client of the file: %v %s", err, errs)
	}
	if list := p.MustRun("", "client", "list"); !strings.Contains(list, "filed") || !strings.Contains(list, "wiki") {
		t.Errorf("client list:\n%s", list)
	}
	if _, errs, err := p.Run("", "client", "add", "odd", "--public", "--auth-method", "client_secret_post", "--redirect-uri", "http://127.0.0.1/cb"); err == nil || !strings.Contains(errs, "auth-method public") {
		t.Errorf("--public beside --auth-method: %v %s", err, errs)
	}
	p.MustRun("", "client", "remove", "wiki")
	if _, _, err := p.Run("", "client", "show", "wiki"); err == nil {
		t.Error("a removed client is shown")
	}
}

func TestAClientOfFileAndDatabaseRefusesToStart(t *testing.T) {
	p := newPlace(t, "")
	p.MustRun("", "client", "add", "both", "--public", "--redirect-uri", "http://127.0.0.1/cb")
	base, _ := os.ReadFile(filepath.Join(p.Dir, "idp.yaml"))
	p.Write("idp.yaml", string(base)+"clients: [{client_id: both, token_endpoint_auth_method: none, redirect_uris: [\"http://127.0.0.1/cb\"]}]\n")
	if _, errs, err := p.Run("", "serve"); err == nil || !strings.Contains(errs, "both") {
		t.Errorf("serve: %v %s", err, errs)
	}
}

func TestKeys(t *testing.T) {
	p := newPlace(t, "")
	cmd, _ := p.Serve()
	if n := strings.Count(p.MustRun("", "key", "list"), "\n"); n != 3 {
		t.Errorf("key list has %d lines, want a head, ES256 and RS256", n)
	}
	_, before := p.Get("/jwks")
	p.MustRun("", "key", "rotate")
	if n := strings.Count(p.MustRun("", "key", "list"), "\n"); n != 5 {
		t.Errorf("key list has %d lines after a rotation, want 5", n)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	p.Serve()
	_, after := p.Get("/jwks")
	if strings.Count(after, `"kid"`) != 4 || strings.Count(before, `"kid"`) != 2 {
		t.Errorf("JWKS before %s, after %s: want 2 keys, then 4", before, after)
	}
	for n, alg := range []string{"EdDSA", "PS256"} { // for a relying party of the database, while the server runs
		p.MustRun("", "client", "add", alg, "--public", "--redirect-uri", "http://127.0.0.1/cb", "--id-token-alg", alg)
		if list := p.MustRun("", "key", "list"); strings.Count(list, "\n") != 6+n || !strings.Contains(list, alg) {
			t.Errorf("key list after a client with %s:\n%s", alg, list)
		}
	}
	p.MustRun("", "key", "rotate")
	if list := p.MustRun("", "key", "list"); strings.Count(list, "EdDSA") != 2 || strings.Count(list, "PS256") != 2 {
		t.Errorf("key list after a rotation:\n%s", list)
	}
}

func TestForeignOrMissingSecretKeyFileIsRefused(t *testing.T) {
	p := newPlace(t, "")
	p.MustRun("a good password\n", "user", "add", "carol", "--password-file", "-")
	key := filepath.Join(p.Dir, "idp.key")
	good, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if _, errs, err := p.Run("", "serve"); err == nil || !strings.Contains(errs, "missing") {
		t.Errorf("missing: %v %s", err, errs)
	}
	other := strings.Repeat("A", 43) + "\n"
	p.Write("idp.key", other)
	if _, errs, err := p.Run("", "serve"); err == nil || !strings.Contains(errs, "does not fit") {
		t.Errorf("foreign: %v %s", err, errs)
	}
	p.Write("idp.key", other+string(good)) // a new key on top, the old one below
	p.MustRun("", "user", "list")
}

// stay is a client that follows no redirect.
var stay = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// try sends a request, and returns its answer's status and where it leads, as a
// whole URL.
func (p *place) try(method, to string, form url.Values) (status int, location string, err error) {
	req, err := http.NewRequest(method, to, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := stay.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	if u, err := resp.Location(); err == nil {
		location = u.String()
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, location, err
}

func (p *place) location(method, to string, form url.Values) (int, string) {
	p.T.Helper()
	status, location, err := p.try(method, to, form)
	if err != nil {
		p.T.Fatal(err)
	}
	return status, location
}

func TestVersion(t *testing.T) {
	p := newPlace(t, "")
	if out := p.MustRun("", "version"); !strings.HasPrefix(out, "idp ") {
		t.Errorf("version: %s", out)
	}
}
