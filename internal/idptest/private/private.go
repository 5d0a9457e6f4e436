// Package private lets a test show a program other files below /etc than the host
// has, such as browser policies, without touching the host: the program runs in a
// mount namespace of its own (mount_namespaces(7)), in which a folder of the test
// lies over /etc (an overlay). It is gone when the program ends.
package private

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Program returns a program that runs another with the files of the folder etc
// laid over those of /etc. It needs root, or a kernel that lets everybody make
// such namespaces; otherwise it fails the test, and says so.
func Program(t testing.TB, program, etc string) string {
	t.Helper()
	unshare := "unshare --mount"
	if os.Geteuid() != 0 {
		unshare = "unshare --user --map-root-user --mount"
	}
	// No process stays in between: whoever ends the script ends the program.
	script := fmt.Sprintf(`#!/bin/sh
exec %s sh -c 'mount -t overlay overlay -o lowerdir="$0":/etc /etc && exec "$@"' '%s' "${PRIVATE_PROGRAM:-%s}" "$@"
`, unshare, etc, program)
	path := filepath.Join(t.TempDir(), filepath.Base(program))
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	try := exec.Command(path)
	try.Env = append(os.Environ(), "PRIVATE_PROGRAM=true")
	if out, err := try.CombinedOutput(); err != nil {
		t.Fatalf("this test shows a browser policies without writing them below /etc, by an overlay in a mount namespace, and may not make one: "+
			"run it as root (in a container with CAP_SYS_ADMIN), or where users may make namespaces\n%s: %v\n%s", unshare, err, out)
	}
	return path
}
