package krbtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"idp/internal/freeport"
)

// StartKpasswd starts the realm's server for new passwords (RFC 3244), which is
// kadmind of MIT Kerberos, names it in krb5.conf, and stops it when the test ends.
func (r *Realm) StartKpasswd(t testing.TB) {
	t.Helper()
	var ports [2]int
	for i := range ports {
		var err error
		if ports[i], err = freeport.Find(); err != nil {
			t.Fatal(err)
		}
	}
	addr := fmt.Sprintf("127.0.0.1:%d", ports[0])
	profile := filepath.Join(r.Dir, "kdc.conf")
	r.insert(t, profile, "    "+r.Name+" = {\n", fmt.Sprintf("        kadmind_port = %d\n        kadmind_listen = 127.0.0.1:%d\n        kpasswd_listen = %s\n", ports[1], ports[1], addr))
	r.insert(t, r.Krb5Conf, "    "+r.Name+" = {\n", "        kpasswd_server = "+addr+"\n")
	if err := os.WriteFile(filepath.Join(r.Dir, "acl"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(find("kadmind"), "-nofork", "-r", r.Name, "-P", filepath.Join(r.Dir, "kadmind.pid"))
	cmd.Env = r.Env()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stderr, cmd.Stdout = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // why it ended is in its log
		close(ended)
	}()
	stop := func() {
		_ = cmd.Process.Kill() // fails only when it has ended
		<-ended
	}
	t.Cleanup(stop)
	if err := AwaitListener(t.Context(), addr, ended); err != nil {
		stop()
		t.Fatalf("kadmind: %v\n%s", err, log.String())
	}
}

// insert puts lines into a file, behind the first line that is after.
func (r *Realm) insert(t testing.TB, file, after, lines string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), after, after+lines, 1)
	if err := os.WriteFile(file, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
}
