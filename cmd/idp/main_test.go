package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
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
}

func newPlace(t *testing.T, yaml string) *place {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := ln.Addr().String()
	_ = ln.Close()
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
func (p *place) serve() (cmd *exec.Cmd, log *lockedLog) {
	p.t.Helper()
	cmd, log = p.command("serve"), &lockedLog{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = cmd.Process.Kill() })
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if resp, err := http.Get(p.url + "/readyz"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return cmd, log
			}
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	p.t.Fatalf("the server is not ready after 20 s:\n%s", log)
	return nil, nil
}

// lockedLog is what a running server writes, to be read meanwhile.
type lockedLog struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
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

func TestServeDrainsOnSIGTERM(t *testing.T) {
	p := newPlace(t, "")
	cmd, log := p.serve()
	if status, body := p.get("/.well-known/openid-configuration"); status != 200 || !strings.Contains(body, `"issuer":"`+p.url+`"`) {
		t.Errorf("discovery: %d %s", status, body)
	}
	if _, _, err := p.run("", "healthcheck"); err != nil {
		t.Errorf("healthcheck of a running server: %v", err)
	}
	// A request under way when the signal comes is still answered.
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\nConnection: close\r\n\r\na=1")
	time.Sleep(100 * time.Millisecond) // until the server has read the head
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond)
	fmt.Fprint(conn, "&b=2")
	answer, _ := io.ReadAll(conn)
	if !bytes.HasPrefix(answer, []byte("HTTP/1.1 4")) {
		t.Errorf("a request under way was cut off: %q", answer)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, log)
	}
	if _, _, err := p.run("", "healthcheck"); err == nil {
		t.Error("healthcheck of a stopped server succeeds")
	}
}

func TestWithoutConfigurationItSaysWhatToDoNext(t *testing.T) {
	p := newPlace(t, "")
	if err := os.Remove(filepath.Join(p.dir, "idp.yaml")); err != nil {
		t.Fatal(err)
	}
	// Only the port is changed, for another server may run on this machine.
	addr := strings.TrimPrefix(p.url, "http://")
	p.more = []string{"IDP_LISTEN=" + addr, "IDP_ISSUER=" + p.url}
	cmd, log := p.serve()
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	if !strings.Contains(log.String(), "idp user add") || !strings.Contains(log.String(), "idp client add") {
		t.Errorf("the log does not say what to do next:\n%s", log)
	}
	if info, err := os.Stat(filepath.Join(p.dir, "idp.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("idp.key: %v, %v, want mode 0600", info, err)
	}
}

func TestReloadTakesAllOrNothing(t *testing.T) {
	p := newPlace(t, "")
	cmd, log := p.serve()
	hangup := func() {
		t.Helper()
		before := strings.Count(log.String(), "reloaded")
		_ = cmd.Process.Signal(syscall.SIGHUP)
		for range 200 {
			if strings.Count(log.String(), "reloaded") > before {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("no answer to SIGHUP in the log:\n%s", log)
	}
	base, err := os.ReadFile(filepath.Join(p.dir, "idp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	client := "clients:\n  - {client_id: app, token_endpoint_auth_method: none, redirect_uris: [\"http://127.0.0.1/cb\"]}\n"
	p.write("idp.yaml", string(base)+client)
	hangup()
	const request = "/authorize?response_type=code&client_id=app&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&scope=openid&prompt=none"
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	known := func() bool {
		resp, err := stay.Get(p.url + request)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusSeeOther || resp.StatusCode == http.StatusFound
	}
	if !known() {
		t.Error("a reload did not bring the new client")
	}
	p.write("idp.yaml", string(base)+"kerberoz: {}\n")
	hangup()
	if !known() {
		t.Error("a bad configuration replaced the good one")
	}
	if !strings.Contains(log.String(), "kerberoz") {
		t.Error("the log does not name the unknown key")
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
}

func TestCheckPrintsEveryProblem(t *testing.T) {
	p := newPlace(t, "lisen: x\nusers: [{name: bob, password_file: none.txt}]\nclients: [{client_id: a, redirect_uris: [\"not a uri\"]}]\n")
	_, errs, err := p.run("", "check")
	for _, want := range []string{"idp.yaml:3: lisen: unknown key", "none.txt", "client_secret_file"} {
		if !strings.Contains(errs, want) {
			t.Errorf("check does not mention %q:\n%s", want, errs)
		}
	}
	if err == nil {
		t.Error("check succeeds")
	}
	out, _, _ := p.run("", "check", "--json")
	var result struct {
		OK    bool
		Lines []struct {
			Level, Text string
			Line        int
		}
	}
	if err := json.Unmarshal([]byte(out), &result); err != nil || result.OK || len(result.Lines) < 3 {
		t.Errorf("check --json: %v, %+v", err, result)
	}
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
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
	p.serve()
	_, after := p.get("/jwks")
	if strings.Count(after, `"kid"`) != 4 || strings.Count(before, `"kid"`) != 2 {
		t.Errorf("JWKS before %s, after %s: want 2 keys, then 4", before, after)
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

// TestKillLosesNothingAcknowledged kills the server with SIGKILL while users are
// made through it by logins and checks that every acknowledged one is there.
func TestKillLosesNothingAcknowledged(t *testing.T) {
	p := newPlace(t, "users: [{name: bob, password_file: bob.txt}]\nclients: [{client_id: app, client_secret_file: bob.txt, redirect_uris: [\"http://127.0.0.1/cb\"], grant_types: [authorization_code]}]\n")
	p.write("bob.txt", "correct horse\n")
	for range 3 {
		cmd, _ := p.serve()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		acknowledged := make(chan string, 10000)
		for range 8 {
			go pushRequests(ctx, p.url, acknowledged)
		}
		time.Sleep(300 * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		cancel()
		_, _ = p.serveAndCheck(t, acknowledged)
	}
}

// pushRequests posts authorization requests, each of which is stored and
// acknowledged by a redirect to its handle.
func pushRequests(ctx context.Context, url string, acknowledged chan<- string) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for range 60 { // an address may have 2,000 pending in all
		form := "response_type=code&client_id=app&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&scope=openid&prompt=none&state=x"
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, url+"/authorize", strings.NewReader(form))
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := client.Do(req)
		if err != nil {
			return
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusSeeOther {
			select {
			case acknowledged <- resp.Header.Get("Location"):
			default:
			}
		}
	}
}

func (p *place) serveAndCheck(t *testing.T, acknowledged chan string) (int, error) {
	t.Helper()
	cmd, _ := p.serve()
	stay := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	n := 0
	for len(acknowledged) > 0 {
		location := <-acknowledged
		if strings.HasPrefix(location, "/") {
			location = p.url + location
		}
		resp, err := stay.Get(location)
		if err != nil {
			return n, err
		}
		_ = resp.Body.Close()
		if to := resp.Header.Get("Location"); !strings.Contains(to, "state=x") {
			t.Fatalf("an acknowledged request is lost: %d to %q", resp.StatusCode, to)
		}
		n++
	}
	if n == 0 {
		t.Error("nothing was acknowledged before the kill: this proves nothing")
	}
	_ = cmd.Process.Signal(syscall.SIGTERM)
	return n, cmd.Wait()
}

func TestVersion(t *testing.T) {
	p := newPlace(t, "")
	if out := p.mustRun("", "version"); !strings.HasPrefix(out, "idp ") {
		t.Errorf("version: %s", out)
	}
}
