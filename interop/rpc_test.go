//go:build interop

package interop_test

import (
	"os/exec"
	"strings"
	"testing"
)

// TestExampleRPC: an honest call through the chain, a stolen token, a front end that
// lies; the program ends with an error when a step has not held.
func TestExampleRPC(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "run", "idp/examples/rpc", "--once", "--bin", set.Bin)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "\n13 checks held, 0 failed.\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
