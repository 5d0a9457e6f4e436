package keytabplan

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

var request = Request{Host: "sso.example.com", Also: []string{"Intra.example.com"}, Realm: "EXAMPLE.COM", Keytab: "/etc/it's idp/\"http\" $(id)`id`.keytab"}

// The shell must read back every word as it was meant.
func TestWordsSurviveTheShell(t *testing.T) {
	words := []string{"plain", "HTTP/a@B.C", "it's", `"`, `a b`, `$(id)`, "`id`", `\`, `\'`, "a;b", "*", "~", "ü", "", "-n"}
	out, err := exec.Command("sh", "-c", command(append([]string{"printf", `[%s]\n`}, words...)...)).Output()
	if err != nil {
		t.Fatal(err)
	}
	if want := "[" + strings.Join(words, "]\n[") + "]\n"; string(out) != want {
		t.Errorf("sh read\n%s\nwant\n%s", out, want)
	}
}

// Every command for sh, of every plan, with a path that is all traps, is complete.
func TestEveryCommandIsOneForTheShell(t *testing.T) {
	for _, task := range []Task{SetUp, RollOver, Refresh} {
		plans, err := New(request, "", task)
		if err != nil {
			t.Fatal(err)
		}
		if len(plans) != len(Names()) {
			t.Fatalf("%d plans, want %d", len(plans), len(Names()))
		}
		for _, p := range plans {
			for _, s := range p.Steps {
				if s.Where == onWindows {
					continue
				}
				for _, c := range append(s.OneHost, s.Commands...) {
					if out, err := exec.Command("sh", "-n", "-c", c).CombinedOutput(); err != nil || strings.Contains(c, "\n") {
						t.Errorf("%s: %s: %v %s", p.For, c, err, out)
					}
				}
			}
		}
	}
}

func TestPowerShellWords(t *testing.T) {
	for word, want := range map[string]string{"plain": "plain", "a,b": "'a,b'", "it's": "'it''s'", "it’s": "'it’’s'", "$x": "'$x'", "@x": "'@x'"} {
		if got := powershell(word); got != want {
			t.Errorf("powershell(%q) = %s, want %s", word, got, want)
		}
	}
}

// No plan asks for anything but AES, none forgets a name, each tells where it is
// done, and a roll-over never begins by throwing the old key away.
func TestEveryPlanIsWholeAndAESOnly(t *testing.T) {
	for _, task := range []Task{SetUp, RollOver, Refresh} {
		plans, err := New(request, "", task)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range plans {
			var text strings.Builder
			if err := Write(&text, []Plan{p}); err != nil {
				t.Fatal(err)
			}
			commands, waits := "", false
			for _, s := range p.Steps {
				if s.Where == "" || s.Why == "" || len(s.Commands) == 0 {
					t.Errorf("%s: half a step: %+v", p.For, s)
				}
				waits = waits || s.Kind == Wait
				commands += strings.Join(s.Commands, "\n") + "\n"
			}
			if waits != (task == RollOver) {
				t.Errorf("%s, %s: waits for old tickets to end: %v", p.For, task, waits)
			}
			for _, bad := range []string{"/crypto All", "RC4-HMAC", "addtype arcfour", "0x1C"} {
				if strings.Contains(commands, bad) {
					t.Errorf("%s: %q", p.For, bad)
				}
			}
			if !strings.Contains(text.String(), "HTTP/sso.example.com") || !strings.Contains(text.String(), "HTTP/intra.example.com") {
				t.Errorf("%s does not name both hosts:\n%s", p.For, text.String())
			}
			if !strings.Contains(text.String(), "ried") && !strings.Contains(text.String(), "Not run by our tests") {
				t.Errorf("%s does not say whether it was tried", p.For)
			}
			if !strings.Contains(commands, "klist -kte") || !strings.Contains(commands, "idp check") || !strings.Contains(commands, "idp doctor") {
				t.Errorf("%s does not look at the result", p.For)
			}
		}
	}
}

// Whoever pastes a plan goes on after a line that failed: a copy that did not
// arrive must leave the file here, and an owner that is not there the keytab.
func TestAFailureLosesNoKeytab(t *testing.T) {
	for _, task := range []Task{SetUp, RollOver, Refresh} {
		dir := t.TempDir()
		keytab := filepath.Join(dir, "http.keytab")
		plans, err := New(Request{Host: "sso.example.com", Realm: "EXAMPLE.COM", Keytab: keytab}, "", task)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range plans {
			for i, s := range p.Steps {
				if s.Where == onWindows || (s.Kind != Transfer && !strings.Contains(strings.Join(s.Commands, " "), "mv -f")) {
					continue
				}
				for _, name := range []string{"http.keytab", "http.keytab.new", "http.keytab.add"} {
					if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				failing := "scp() { false; }; chown() { false; }; kinit() { false; }; kdestroy() { false; }; ipa() { false; }\n"
				cmd := exec.Command("sh", "-c", failing+strings.Join(s.Commands, "\n"))
				cmd.Dir, cmd.Env = dir, []string{"PATH=/usr/bin:/bin"}
				out, err := cmd.CombinedOutput()
				now, readErr := os.ReadFile(keytab)
				if err == nil || readErr != nil || string(now) != "http.keytab" {
					t.Errorf("%s, %s, step %d: %v, the keytab is %q\n%s", p.For, task, i+1, err, now, out)
				}
				if _, err := os.Stat(keytab + ".new"); s.Kind == Transfer && err != nil {
					t.Errorf("%s, %s, step %d: the copy that did not arrive was deleted", p.For, task, i+1)
				}
			}
		}
	}
}

// On Windows nobody can run it here, but it must be one line, too.
func TestTheCopyFromWindowsIsDeletedOnlyAfterIt(t *testing.T) {
	plans, err := New(request, "ad", SetUp)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range plans[0].Steps {
		if s.Kind == Transfer && (len(s.Commands) != 1 || !strings.Contains(s.Commands[0], "; if ($LASTEXITCODE -eq 0) { Remove-Item ")) {
			t.Errorf("%q", s.Commands)
		}
	}
}
