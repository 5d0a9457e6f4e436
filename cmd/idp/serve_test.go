package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"idp/internal/idptest"
)

// Without a file the banner names what the environment has set.
func TestTheBannerNamesTheConfiguredIssuer(t *testing.T) {
	p := newPlace(t, "")
	if err := os.Remove(filepath.Join(p.Dir, "idp.yaml")); err != nil {
		t.Fatal(err)
	}
	p.More = []string{"IDP_ISSUER=" + p.URL, "IDP_LISTEN=" + strings.TrimPrefix(p.URL, "http://")}
	_, log := p.Serve()
	p.await(log, "idp runs without a configuration file")
	for _, want := range []string{"file, at " + p.URL + " (listening on " + strings.TrimPrefix(p.URL, "http://") + ")", "log in at " + p.URL + "/"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
	if strings.Contains(log.String(), "localhost:8080") {
		t.Errorf("the default issuer is named:\n%s", log)
	}
}

func TestServeDrainsOnSIGTERM(t *testing.T) {
	p := newPlace(t, "")
	cmd, log := p.Serve()
	if status, body := p.Get("/.well-known/openid-configuration"); status != 200 || !strings.Contains(body, `"issuer":"`+p.URL+`"`) {
		t.Errorf("discovery: %d %s", status, body)
	}
	if _, _, err := p.Run("", "healthcheck"); err != nil {
		t.Errorf("healthcheck of a running server: %v", err)
	}
	// A request under way when the signal comes is still answered: the server has
	// read its head when it asks for the body (RFC 9110 §10.1.1).
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 7\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
	answer := bufio.NewReader(conn)
	if line, err := answer.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v, want to be asked for the body", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(log, "draining")
	if status, body := p.Get("/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("/readyz of a server that leaves: %d %s, want 503", status, body)
	}
	if status, _ := p.Get("/jwks"); status != http.StatusOK {
		t.Errorf("/jwks before the load balancer knows: %d, want 200", status)
	}
	p.untilRefused()
	fmt.Fprint(conn, "a=1&b=2")
	if text, _ := io.ReadAll(answer); !bytes.Contains(text, []byte("HTTP/1.1 4")) {
		t.Errorf("a request under way was cut off: %q", text)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("exit: %v\n%s", err, log)
	}
	if _, _, err := p.Run("", "healthcheck"); err == nil {
		t.Error("healthcheck of a stopped server succeeds")
	}
}

// await waits until the log has a line with text.
func (p *place) await(log *idptest.Log, text string) {
	p.T.Helper()
	p.awaitMore(log, text, 0)
}

func (p *place) awaitMore(log *idptest.Log, text string, before int) {
	p.T.Helper()
	for deadline := time.Now().Add(time.Minute); len(log.Lines(text)) <= before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.T.Fatalf("the log does not say %q in a minute:\n%s", text, log)
		}
	}
}

// untilRefused waits until the listener is closed.
func (p *place) untilRefused() {
	p.T.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.URL, "http://"))
		if err != nil {
			return
		}
		_ = conn.Close()
	}
	p.T.Fatal("the server still listens")
}

func TestWithoutConfigurationItSaysWhatToDoNext(t *testing.T) {
	p := newPlace(t, "")
	if err := os.Remove(filepath.Join(p.Dir, "idp.yaml")); err != nil {
		t.Fatal(err)
	}
	// Only the port is changed, for another server may run on this machine.
	addr := strings.TrimPrefix(p.URL, "http://")
	p.More = []string{"IDP_LISTEN=" + addr, "IDP_ISSUER=" + p.URL}
	_, log := p.Serve()
	p.await(log, "idp check")
	if !strings.Contains(log.String(), "idp user add") || !strings.Contains(log.String(), "idp client add") {
		t.Errorf("the log does not say what to do next:\n%s", log)
	}
	if info, err := os.Stat(filepath.Join(p.Dir, "idp.key")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("idp.key: %v, %v, want mode 0600", info, err)
	}
}

func TestReloadTakesAllOrNothing(t *testing.T) {
	p := newPlace(t, "")
	cmd, log := p.Serve()
	hangup := func() {
		t.Helper()
		before := len(log.Lines("reloaded"))
		_ = cmd.Process.Signal(syscall.SIGHUP)
		p.awaitMore(log, "reloaded", before)
	}
	base, err := os.ReadFile(filepath.Join(p.Dir, "idp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	client := "clients:\n  - {client_id: app, token_endpoint_auth_method: none, redirect_uris: [\"http://127.0.0.1/cb\"]}\n"
	p.Write("idp.yaml", string(base)+client)
	hangup()
	const request = "/authorize?response_type=code&client_id=app&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcb&scope=openid&prompt=none"
	known := func() bool {
		status, _ := p.location(http.MethodGet, p.URL+request, nil)
		return status == http.StatusSeeOther
	}
	if !known() {
		t.Error("a reload did not bring the new client")
	}
	p.Write("idp.yaml", string(base)+"kerberoz: {}\n")
	hangup()
	if !known() {
		t.Error("a bad configuration replaced the good one")
	}
	if !strings.Contains(log.String(), "kerberoz") {
		t.Error("the log does not name the unknown key")
	}
	// What the server itself finds, beside a user who would be made.
	p.Write("idp.yaml", string(base))
	p.Write("carol.txt", "a good password\n")
	p.MustRun("", "client", "add", "both", "--public", "--redirect-uri", "http://127.0.0.1/cb")
	p.Write("idp.yaml", string(base)+strings.Replace(client, "app", "both", 1)+"users: [{name: carol, password_file: carol.txt}]\n")
	hangup()
	if !known() || !strings.Contains(log.String(), "the database has a relying party") {
		t.Error("a relying party of file and database was taken, or the log does not say so")
	}
	p.Write("idp.yaml", string(base)) // for the command line
	if list := p.MustRun("", "user", "list"); strings.Contains(list, "carol") {
		t.Errorf("a refused configuration has changed the database:\n%s", list)
	}
}

func TestHangupWhileStartingIsNotTheEnd(t *testing.T) {
	p := newPlace(t, "")
	yaml, err := os.ReadFile(filepath.Join(p.Dir, "idp.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// The configuration is a pipe, so that the server waits for it at its start.
	pipe := filepath.Join(p.Dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, log := p.Command("serve", "--config", "pipe"), &idptest.Log{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for _, step := range []string{`"serving"`, "configuration reloaded"} {
		w, err := os.OpenFile(pipe, os.O_WRONLY, 0) // waits for the server to open it
		if err != nil {
			t.Fatal(err)
		}
		if step == `"serving"` {
			_ = cmd.Process.Signal(syscall.SIGHUP)
		}
		if _, err := w.Write(yaml); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
		p.await(log, step)
	}
}
