package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"idp/internal/idptest"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/storetest"
	"idp/internal/user"
)

// typist is somebody at a terminal in which idp runs.
type typist struct {
	t      *testing.T
	keys   *os.File // the terminal's other end
	cmd    *exec.Cmd
	screen *idptest.Log
}

// terminal starts idp in a terminal of its own, as a login shell would.
func (p *place) terminal(args ...string) *typist {
	p.T.Helper()
	keys, screen, err := pty()
	if err != nil {
		p.T.Fatal(err)
	}
	p.T.Cleanup(func() { _, _ = keys.Close(), screen.Close() }) // held open, to be looked at when idp has gone
	y := &typist{t: p.T, keys: keys, cmd: p.Command(args...), screen: &idptest.Log{}}
	y.cmd.Stdin, y.cmd.Stdout, y.cmd.Stderr = screen, screen, screen
	y.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Pdeathsig: syscall.SIGKILL}
	if err := y.cmd.Start(); err != nil {
		p.T.Fatal(err)
	}
	p.T.Cleanup(func() { _ = y.cmd.Process.Kill(); _ = y.cmd.Wait() })
	go func() {
		b := make([]byte, 1024)
		for n, err := keys.Read(b); err == nil; n, err = keys.Read(b) {
			_, _ = y.screen.Write(b[:n])
		}
	}()
	return y
}

// pty makes a pseudo-terminal (pty(7)): the keyboard's end, and the program's.
func pty() (keys, screen *os.File, err error) {
	if keys, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	if err = unix.IoctlSetPointerInt(int(keys.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, err
	}
	n, err := unix.IoctlGetInt(int(keys.Fd()), unix.TIOCGPTN)
	if err != nil {
		return nil, nil, err
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	return keys, screen, err
}

// types waits for a question and answers it.
func (y *typist) types(question, answer string) {
	y.t.Helper()
	ctx, cancel := context.WithTimeout(y.t.Context(), 5*time.Minute)
	defer cancel()
	if err := y.screen.Await(ctx, question); err != nil {
		y.t.Fatalf("%v:\n%s", err, y.screen)
	}
	if _, err := y.keys.WriteString(answer); err != nil {
		y.t.Fatal(err)
	}
}

// ends waits for idp's end, whose last words are wanted; the terminal has to be as it
// was before, and must not have shown what was typed.
func (y *typist) ends(status int, words string, unseen ...string) {
	y.t.Helper()
	_ = y.cmd.Wait()
	ctx, cancel := context.WithTimeout(y.t.Context(), 5*time.Minute)
	defer cancel()
	if err := y.screen.Await(ctx, words); err != nil || y.cmd.ProcessState.ExitCode() != status {
		y.t.Errorf("%v, status %d, want %d:\n%s", err, y.cmd.ProcessState.ExitCode(), status, y.screen)
	}
	for _, u := range unseen {
		if strings.Contains(y.screen.String(), u) {
			y.t.Errorf("the terminal shows %q:\n%s", u, y.screen)
		}
	}
	mode, err := unix.IoctlGetTermios(int(y.keys.Fd()), unix.TCGETS)
	if want := uint32(unix.ECHO | unix.ICANON | unix.ISIG); err != nil || mode.Lflag&want != want {
		y.t.Errorf("the terminal is left in mode %x, want all of %x (echo, lines, signals): %v", mode.Lflag, want, err)
	}
}

// hasPassword tells whether a local user has a password.
func (p *place) hasPassword(name, password string) bool {
	p.T.Helper()
	st := storetest.Open(p.T, store.Config{URL: "sqlite:" + p.Dir + "/idp.db"})
	defer func() { _ = st.Close() }()
	u, err := st.UserByName(p.T.Context(), name)
	if err != nil {
		return false
	}
	ok, _, err := user.NewHasher().Verify(p.T.Context(), u.PasswordHash, secret.String(password))
	if err != nil {
		p.T.Fatal(err)
	}
	return ok
}

func TestHoleTheTerminalShowsWhatIsTyped(t *testing.T) {
	p := newPlace(t, "")
	const good, other = "correct hörse battery", "another horse battery"

	y := p.terminal("user", "add", "bob", "--password-file", "-")
	y.types("password of bob: ", "correct hörsx\x7fe battery\r") // Backspace works
	y.types("the same again: ", good+"\r")
	y.ends(0, "user bob made", "hörs", "battery")
	if !p.hasPassword("bob", good) {
		t.Error("bob has another password than was typed")
	}

	y = p.terminal("user", "passwd", "bob", "--password-file", "-")
	y.types("password of bob: ", other+"\n")
	y.types("the same again: ", other+"\n")
	y.ends(0, "bob has a new password", "horse", "battery")
	if !p.hasPassword("bob", other) {
		t.Error("bob has another password than was typed")
	}

	p.Write("token.yaml", "issuer: http://localhost:1\n")
	p.More = append(p.More, "KRB5CCNAME=FILE:"+p.Dir+"/none")
	y = p.terminal("token", "--config", "token.yaml", "--audience", "https://x.example.com", "--client-secret-file", "-")
	y.types("secret of idp-cli: ", "a secret of a client\r") // once: nothing is set by it
	y.ends(1, "idp: ", "a secret of", "again")
}

func TestATerminalIsLeftAsItWas(t *testing.T) {
	p := newPlace(t, "")
	for name, c := range map[string]struct {
		first, second string
		kill          syscall.Signal
		says          string
	}{
		"Ctrl-C":                         {first: "correct ho\x03", says: "nothing was typed"},
		"Ctrl-C at the second":           {first: "correct horse battery\r", second: "correct\x03", says: "nothing was typed"},
		"Ctrl-D":                         {first: "\x04", says: "nothing was typed"},
		"Enter":                          {first: "\r", says: "the password of bob is empty"},
		"something else the second time": {first: "correct horse battery\r", second: "correct horse batterx\r", says: "is not the first; nothing was changed"},
		"too short":                      {first: "short\r", second: "short\r", says: "characters"},
		"SIGTERM":                        {kill: syscall.SIGTERM, says: "nothing was typed"},
		"SIGINT":                         {kill: syscall.SIGINT, says: "nothing was typed"},
	} {
		t.Run(name, func(t *testing.T) {
			there := *p.Place
			there.T = t
			p := &place{Place: &there}
			y := p.terminal("user", "add", "bob", "--password-file", "-")
			y.types("password of bob: ", c.first)
			if c.second != "" {
				y.types("the same again: ", c.second)
			}
			if c.kill != 0 {
				if err := y.cmd.Process.Signal(c.kill); err != nil {
					t.Fatal(err)
				}
			}
			y.ends(1, c.says, "horse", "short")
			if list := p.MustRun("", "user", "list"); strings.Contains(list, "bob") {
				t.Errorf("bob was made:\n%s", list)
			}
		})
	}
}
