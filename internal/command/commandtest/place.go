// Package commandtest runs the program in tests of its commands: as people run it, in a
// folder with a configuration, with what it prints and the status it ends with.
package commandtest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"idp/internal/freeport"
	"idp/internal/idptest"
)

// binary is idp, built once for all tests of a package.
var binary string

// Main builds idp and runs the tests; a package's TestMain calls it.
func Main(m *testing.M) {
	dir, err := os.MkdirTemp("", "idp-")
	if err == nil {
		binary = filepath.Join(dir, "idp")
		out, buildErr := exec.Command("go", "build", "-o", binary, "idp/cmd/idp").CombinedOutput()
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

// Place is a folder in which idp is run.
type Place struct {
	T    *testing.T
	Dir  string
	URL  string   // of the server, when it runs
	More []string // environment
}

// New is a folder with a configuration, to which yaml is added, and a free port.
func New(t *testing.T, yaml string) *Place {
	t.Helper()
	addr := FreeAddress(t)
	p := &Place{T: t, Dir: t.TempDir(), URL: "http://" + addr}
	p.Write("idp.yaml", fmt.Sprintf("issuer: http://%s\nlisten: %s\n%s", addr, addr, yaml))
	return p
}

// FreeAddress is one nobody listens on.
func FreeAddress(t *testing.T) string {
	t.Helper()
	addr, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// Write makes a file that only its owner may read.
func (p *Place) Write(name, text string) {
	p.T.Helper()
	if err := os.WriteFile(filepath.Join(p.Dir, name), []byte(text), 0o600); err != nil {
		p.T.Fatal(err)
	}
}

// Command is a run of idp there, which ends with the tests.
func (p *Place) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(binary, args...)
	cmd.Dir = p.Dir
	cmd.Env = append(os.Environ(), p.More...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// Run runs idp to its end.
func (p *Place) Run(stdin string, args ...string) (stdout, stderr string, err error) {
	cmd := p.Command(args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	return out.String(), errs.String(), err
}

// MustRun is Run for what has to go well.
func (p *Place) MustRun(stdin string, args ...string) string {
	p.T.Helper()
	out, errs, err := p.Run(stdin, args...)
	if err != nil {
		p.T.Fatalf("idp %s: %v\n%s", strings.Join(args, " "), err, errs)
	}
	return out
}

// Serve starts the server and waits until it is ready.
func (p *Place) Serve() (cmd *exec.Cmd, log *idptest.Log) {
	p.T.Helper()
	return p.ServeUntil(func() bool {
		resp, err := http.Get(p.URL + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// ServeUntil starts the server and waits until it is ready by somebody's judgement.
func (p *Place) ServeUntil(ready func() bool) (cmd *exec.Cmd, log *idptest.Log) {
	p.T.Helper()
	cmd, log = p.Command("serve"), &idptest.Log{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		p.T.Fatal(err)
	}
	p.T.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	started := time.Now()
	for !ready() {
		if time.Since(started) > time.Minute {
			p.T.Fatalf("the server is not ready after a minute:\n%s", log)
		}
		time.Sleep(10 * time.Millisecond)
	}
	return cmd, log
}

// Get asks the server.
func (p *Place) Get(path string) (status int, body string) {
	p.T.Helper()
	resp, err := http.Get(p.URL + path)
	if err != nil {
		p.T.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.T.Fatal(err)
	}
	return resp.StatusCode, string(text)
}
