package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"idp/internal/idptest"
)

// binary is idp, built once for all tests.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "idp-")
	if err == nil {
		binary = filepath.Join(dir, "idp")
		out, buildErr := exec.Command("go", "build", "-o", binary, ".").CombinedOutput()
		if buildErr != nil {
			err = fmt.Errorf("%w\n%s", buildErr, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// place is a folder with a configuration and a free port.
type place struct {
	t    *testing.T
	dir  string
	url  string
	more []string // environment

	nicer []string // pairs: what outputs have of this run, and what readers see in its place
}

func newPlace(t *testing.T, yaml string) *place {
	t.Helper()
	addr := freeAddress(t)
	p := &place{t: t, dir: t.TempDir(), url: "http://" + addr}
	p.write("idp.yaml", fmt.Sprintf("issuer: http://%s\nlisten: %s\n%s", addr, addr, yaml))
	return p
}

func (p *place) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Dir = p.dir
	cmd.Env = append(os.Environ(), p.more...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// run runs idp to its end.
func (p *place) run(stdin string, args ...string) (stdout, stderr string, err error) {
	cmd := p.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

func (p *place) mustRun(stdin string, args ...string) string {
	p.t.Helper()
	out, errs, err := p.run(stdin, args...)
	if err != nil {
		p.t.Fatalf("idp %s: %v\n%s", strings.Join(args, " "), err, errs)
	}
	return out
}

// serve starts the server and waits until it is ready.
func (p *place) serve() (cmd *exec.Cmd, log *idptest.Log) {
	p.t.Helper()
	return p.serveUntil(func() bool {
		resp, err := http.Get(p.url + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// serveUntil starts the server and waits until it is ready by somebody's judgement.
func (p *place) serveUntil(ready func() bool) (cmd *exec.Cmd, log *idptest.Log) {
	p.t.Helper()
	cmd, log = p.command("serve"), &idptest.Log{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	started := time.Now()
	for !ready() {
		if time.Since(started) > time.Minute {
			p.t.Fatalf("the server is not ready after a minute:\n%s", log)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return cmd, log
}

func (p *place) get(path string) (int, string) {
	p.t.Helper()
	resp, err := http.Get(p.url + path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestUsersAndClients(t *testing.T) {
	p := newPlace(t, "clients: [{client_id: filed, token_endpoint_auth_method: none, redirect_uris: [\"http://127.0.0.1/cb\"]}]\n")
	p.mustRun("a good password\n", "user", "add", "carol", "--password-file", "-", "--email", "carol@example.com", "--group", "a", "--group", "b", "--admin")
	if _, errs, err := p.run("a good password\n", "user", "add", "carol", "--password-file", "-"); err == nil || !strings.Contains(errs, "taken") {
		t.Errorf("a second carol: %v %s", err, errs)
	}
	if _, errs, err := p.run("short\n", "user", "add", "dave", "--password-file", "-"); err == nil || !strings.Contains(errs, "characters") {
		t.Errorf("a short password: %v %s", err, errs)
	}
	if _, errs, err := p.run("a good password\n", "user", "add", "Carol", "--password-file", "-"); err == nil || !strings.Contains(errs, "carol") {
		t.Errorf("a Carol beside carol: %v %s", err, errs)
	}
	p.mustRun("", "user", "disable", "carol")
	if list := p.mustRun("", "user", "list"); !strings.Contains(list, "carol@example.com") || !strings.Contains(list, "a,b") || !strings.Contains(list, "disabled,admin") {
		t.Errorf("user list:\n%s", list)
	}
	p.mustRun("", "user", "enable", "carol")
	p.mustRun("", "user", "admin", "carol", "--remove")
	p.mustRun("another password\n", "user", "passwd", "carol", "--password-file", "-")
	if list := p.mustRun("", "user", "list"); strings.Contains(list, "disabled") || strings.Contains(list, "admin") {
		t.Errorf("user list:\n%s", list)
	}
	if _, errs, err := p.run("", "user", "disable", "nobody"); err == nil || !strings.Contains(errs, "nobody") {
		t.Errorf("disable nobody: %v %s", err, errs)
	}
	out := p.mustRun("", "client", "add", "wiki", "--redirect-uri", "https://wiki.example.com/cb", "--name", "Wiki")
	if !strings.Contains(out, "client_secret: ") {
		t.Errorf("client add prints no secret:\n%s", out)
	}
	shown := p.mustRun("", "client", "show", "wiki")
	if strings.Contains(shown, "secret_hashes") || !strings.Contains(shown, "ES256") {
		t.Errorf("client show:\n%s", shown)
	}
	if _, errs, err := p.run("", "client", "add", "filed", "--public", "--redirect-uri", "http://127.0.0.1/cb"); err == nil || !strings.Contains(errs, "configuration file owns") {
		t.Errorf("a client of the file: %v %s", err, errs)
	}
	if list := p.mustRun("", "client", "list"); !strings.Contains(list, "filed") || !strings.Contains(list, "wiki") {
		t.Errorf("client list:\n%s", list)
	}
	if _, errs, err := p.run("", "client", "add", "odd", "--public", "--auth-method", "client_secret_post", "--redirect-uri", "http://127.0.0.1/cb"); err == nil || !strings.Contains(errs, "auth-method public") {
		t.Errorf("--public beside --auth-method: %v %s", err, errs)
	}
	p.mustRun("", "client", "remove", "wiki")
	if _, _, err := p.run("", "client", "show", "wiki"); err == nil {
		t.Error("a removed client is shown")
	}
}

func TestAClientOfFileAndDatabaseRefusesToStart(t *testing.T) {
	p := newPlace(t, "")
	p.mustRun("", "client", "add", "both", "--public", "--redirect-uri", "http://127.0.0.1/cb")
	base, _ := os.ReadFile(filepath.Join(p.dir, "idp.yaml"))
	p.write("idp.yaml", string(base)+"clients: [{client_id: both, token_endpoint_auth_method: none, redirect_uris: [\"http://127.0.0.1/cb\"]}]\n")
	if _, errs, err := p.run("", "serve"); err == nil || !strings.Contains(errs, "both") {
		t.Errorf("serve: %v %s", err, errs)
	}
}

func TestKeys(t *testing.T) {
	p := newPlace(t, "")
	cmd, _ := p.serve()
	if n := strings.Count(p.mustRun("", "key", "list"), "\n"); n != 3 {
		t.Errorf("key list has %d lines, want a head, ES256 and RS256", n)
	}
	_, before := p.get("/jwks")
	p.mustRun("", "key", "rotate")
	if n := strings.Count(p.mustRun("", "key", "list"), "\n"); n != 5 {
		t.Errorf("key list has %d lines after a rotation, want 5", n)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	p.serve()
	_, after := p.get("/jwks")
	if strings.Count(after, `"kid"`) != 4 || strings.Count(before, `"kid"`) != 2 {
		t.Errorf("JWKS before %s, after %s: want 2 keys, then 4", before, after)
	}
	for n, alg := range []string{"EdDSA", "PS256"} { // for a relying party of the database, while the server runs
		p.mustRun("", "client", "add", alg, "--public", "--redirect-uri", "http://127.0.0.1/cb", "--id-token-alg", alg)
		if list := p.mustRun("", "key", "list"); strings.Count(list, "\n") != 6+n || !strings.Contains(list, alg) {
			t.Errorf("key list after a client with %s:\n%s", alg, list)
		}
	}
	p.mustRun("", "key", "rotate")
	if list := p.mustRun("", "key", "list"); strings.Count(list, "EdDSA") != 2 || strings.Count(list, "PS256") != 2 {
		t.Errorf("key list after a rotation:\n%s", list)
	}
}

func TestForeignOrMissingSecretKeyFileIsRefused(t *testing.T) {
	p := newPlace(t, "")
	p.mustRun("a good password\n", "user", "add", "carol", "--password-file", "-")
	key := filepath.Join(p.dir, "idp.key")
	good, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	if _, errs, err := p.run("", "serve"); err == nil || !strings.Contains(errs, "missing") {
		t.Errorf("missing: %v %s", err, errs)
	}
	other := strings.Repeat("A", 43) + "\n"
	p.write("idp.key", other)
	if _, errs, err := p.run("", "serve"); err == nil || !strings.Contains(errs, "does not fit") {
		t.Errorf("foreign: %v %s", err, errs)
	}
	p.write("idp.key", other+string(good)) // a new key on top, the old one below
	p.mustRun("", "user", "list")
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
	p.t.Helper()
	status, location, err := p.try(method, to, form)
	if err != nil {
		p.t.Fatal(err)
	}
	return status, location
}

func TestVersion(t *testing.T) {
	p := newPlace(t, "")
	if out := p.mustRun("", "version"); !strings.HasPrefix(out, "idp ") {
		t.Errorf("version: %s", out)
	}
}
