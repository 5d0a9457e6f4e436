package storetest

import (
	"bufio"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

const hint = "PostgreSQL is needed: apt-get install postgresql (or have initdb, pg_ctl and createdb in PATH)"

// server is one running PostgreSQL.
type server struct {
	bin string // folder of its programs
	dir string // its socket and data
	err error
}

// Tests do not wait for the disk; benchmarks measure what an installation has.
var (
	fast      = sync.OnceValue(func() *server { return start("-c fsync=off -c synchronous_commit=off -c full_page_writes=off") })
	durable   = sync.OnceValue(func() *server { return start("") })
	databases atomic.Int64
)

// Postgres returns the URL of a new database, dropped at the end of the test.
// Tests share a server with fsync off, benchmarks one with fsync on.
func Postgres(t testing.TB) string {
	t.Helper()
	s := fast
	if _, bench := t.(*testing.B); bench {
		s = durable
	}
	srv := s()
	if srv.err != nil {
		t.Fatal(srv.err)
	}
	name := fmt.Sprintf("t%d", databases.Add(1))
	srv.run(t, "createdb", name)
	t.Cleanup(func() { srv.run(t, "dropdb", "--force", name) })
	return "postgres:///" + name + "?" + url.Values{"host": {srv.dir}, "user": {"postgres"}}.Encode()
}

func (s *server) run(t testing.TB, program string, args ...string) {
	t.Helper()
	args = append([]string{"--host=" + s.dir, "--username=postgres"}, args...)
	if out, err := exec.Command(filepath.Join(s.bin, program), args...).CombinedOutput(); err != nil { // #nosec G204
		t.Errorf("%s: %v\n%s", program, err, out)
	}
}

// look after one server, $1 its programs, $2 its folder, $3 its options; a
// linguistic collation, as installations have it, since nothing may rely on C.
const lookAfter = `
trap '' INT PIPE HUP TERM
"$1/initdb" -D "$2/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US --no-sync >"$2/log" 2>&1 &&
"$1/pg_ctl" -D "$2/data" -l "$2/log" -w -o "-k $2 -c listen_addresses= -c max_connections=400 $3" start >>"$2/log" 2>&1 &&
echo ready || cat "$2/log"
exec >/dev/null 2>&1
read -r _
"$1/pg_ctl" -D "$2/data" -m immediate stop
rm -rf "$2"
`

func start(options string) *server {
	s := &server{}
	if s.bin, s.err = programs(); s.err != nil {
		return s
	}
	attr, uid, gid, err := unprivileged()
	if err != nil {
		s.err = err
		return s
	}
	if s.dir, s.err = os.MkdirTemp("/tmp", "idp-postgres-"); s.err != nil { // short: a socket's path has 107 bytes at most
		return s
	}
	if s.err = os.Chown(s.dir, uid, gid); s.err != nil {
		return s
	}
	if s.err = os.Chmod(s.dir, 0o755); s.err != nil { // #nosec G302 -- other users' tests reach the socket
		return s
	}
	cmd := exec.Command("/bin/sh", "-c", lookAfter, "sh", s.bin, s.dir, options) // #nosec G204
	cmd.Dir, cmd.SysProcAttr = "/", attr
	s.err = await(cmd)
	return s
}

// await starts the shell and waits until it says that the server is ready. Its
// standard input stays open until this process ends.
func await(cmd *exec.Cmd) error {
	if _, err := cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	running = append(running, cmd)
	var said strings.Builder
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "ready" {
			return nil
		}
		said.WriteString(lines.Text() + "\n")
	}
	return fmt.Errorf("postgresql did not start:\n%s", said.String())
}

// running keeps the pipes from being collected, and so closed, as garbage.
var running []*exec.Cmd

// programs finds the newest installed server.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(slices.MaxFunc(found, func(a, b string) int { return version(a) - version(b) })), nil
	}
	path, err := exec.LookPath("initdb")
	if err != nil {
		return "", errors.New(hint)
	}
	path, err = filepath.EvalSymlinks(path)
	return filepath.Dir(path), err
}

func version(path string) int {
	n, err := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(path))))
	if err != nil {
		return 0
	}
	return n
}

// unprivileged says as whom to run: ourselves, or for root the user postgres or
// nobody. A process group of its own keeps Ctrl-C away from the shell.
func unprivileged() (attr *syscall.SysProcAttr, uid, gid int, err error) {
	attr = &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() != 0 {
		return attr, os.Getuid(), os.Getgid(), nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		u, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, 0, 0, err
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)} // #nosec G115 -- ids of the system
	return attr, uid, gid, errors.Join(err1, err2)
}
