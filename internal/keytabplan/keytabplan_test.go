package keytabplan

import (
	"os/exec"
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
	for _, rollover := range []bool{false, true} {
		plans, err := New(request, "", rollover)
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
				for _, c := range s.Commands {
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
	for _, rollover := range []bool{false, true} {
		plans, err := New(request, "", rollover)
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
			if waits != rollover {
				t.Errorf("%s, roll-over %v: waits for old tickets to end: %v", p.For, rollover, waits)
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
