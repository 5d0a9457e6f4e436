//go:build interop

package interop_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"idp/internal/kerberos/krbtest"
)

// launch starts a program that writes to a log file, waits until it listens at an
// address, and ends it with the test.
func launch(t *testing.T, cmd *exec.Cmd, log, listen string) {
	t.Helper()
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer file.Close()
	cmd.Stdout, cmd.Stderr = file, file
	// SIGTERM, when we are killed, lets Apache end its own children.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	must(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // how it ended is in its log
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // with its children
		<-ended
	})
	if err := krbtest.AwaitListener(t.Context(), listen, ended); err != nil {
		t.Fatalf("%s: %v\n%s", cmd.Path, err, tail(log))
	}
}

// tail is the end of a log.
func tail(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-40):], "\n")
}
