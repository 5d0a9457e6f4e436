package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"idp/internal/kerberos/krbtest"
)

// Process is one program that runs; what it prints goes to Log.
type Process struct {
	Name string
	Log  string        // path
	Done chan struct{} // closed when it has ended

	cmd *exec.Cmd
}

// Pid is the process id.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// patience is how long a program may take to end.
const patience = 30 * time.Second

// start starts a program that listens on addr and waits until it does.
func (s *Stage) start(ctx context.Context, name, addr, program string, args ...string) (*Process, error) {
	p := &Process{Name: name, Log: s.Path(name + ".log"), Done: make(chan struct{})}
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.Command(filepath.Join(s.Bin, program), args...) //nolint:gosec // our own programs
	p.cmd.Dir, p.cmd.Env = s.Dir, environment()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	// A group of its own: Ctrl-C is for us, who then end it in order. It dies
	// with us when we are killed.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.Done)
	}()
	s.Processes = append(s.Processes, p)
	return p, p.listens(ctx, addr)
}

// environment is ours without what configures an idp: of another one.
func environment() []string {
	return slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "IDP_") })
}

// listens waits until somebody listens on addr, or the process has ended.
func (p *Process) listens(ctx context.Context, addr string) error {
	if err := krbtest.AwaitListener(ctx, addr, p.Done); err != nil {
		return fmt.Errorf("%s: %w\n%s", p.Name, err, p.Tail())
	}
	return nil
}

// Tail is the end of what the program has printed.
func (p *Process) Tail() string {
	text, err := os.ReadFile(p.Log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// Stop asks the program to end, and makes it when it does not.
func (p *Process) Stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only when it has ended
	select {
	case <-p.Done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.Done
	}
}

// Command runs another command of idp with the stage's configuration.
func (s *Stage) Command(ctx context.Context, stdin string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, "idp"), append(args, "--config", s.Path("idp.yaml"))...) //nolint:gosec // our own program
	cmd.Stdin, cmd.Env = strings.NewReader(stdin), environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("idp %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// Build compiles idp and the site into dir. The working directory is inside
// the module.
func Build(ctx context.Context, dir string) error {
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", dir+"/", "idp/cmd/idp", "idp/examples/site") //nolint:gosec // fixed program
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return fmt.Errorf("go build: %s", out)
	}
	return err
}
