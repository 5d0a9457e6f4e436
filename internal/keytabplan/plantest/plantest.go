// Package plantest types the steps of a keytab plan, as an admin would, on one
// host that is the KDC and idp's at once.
package plantest

import (
	"fmt"
	"os/exec"
	"strings"

	"idp/internal/keytabplan"
)

// Do types one step into a shell in dir, and returns what it printed. The keytab
// goes from host to host as the plan says for one host; a step that only looks
// at the network is left out, for there is none.
func Do(s keytabplan.Step, dir string, env []string) (string, error) {
	commands := s.Commands
	switch s.Kind {
	case keytabplan.Diagnose:
		return "", nil
	case keytabplan.Transfer:
		commands = s.OneHost
	case keytabplan.Run, keytabplan.Wait:
	}
	text := strings.Join(commands, "\n")
	cmd := exec.Command("sh", "-euc", text) //nolint:gosec // the plan is what is tested
	cmd.Dir = dir
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s\n%s", s.Where, err, text, out)
	}
	return string(out), nil
}

// Split cuts a roll-over where it waits for old tickets to end.
func Split(steps []keytabplan.Step) (before, after []keytabplan.Step) {
	for i, s := range steps {
		if s.Kind == keytabplan.Wait {
			return steps[:i], steps[i:]
		}
	}
	return steps, nil
}
