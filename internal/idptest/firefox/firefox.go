// Package firefox runs a real, headless Firefox ESR for tests: one that opens one
// address, and the server it opens tells the test what it did (Open), or one that the
// test drives (Start).
package firefox

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"idp/internal/idptest/private"
)

// quiet keeps a fresh profile from opening pages of its own and from asking the
// rest of the world for anything. Nothing here is about logging in.
const quiet = `user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("toolkit.telemetry.reportingpolicy.firstRun", false);
user_pref("app.normandy.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "http://127.0.0.1:1/");
user_pref("browser.safebrowsing.update.enabled", false);
user_pref("extensions.update.enabled", false);
`

// Open starts Firefox with a fresh profile and opens an address. The files of the
// folder etc are laid over /etc. env is added to its environment: KRB5_CONFIG and
// KRB5CCNAME make it an employee's. It ends with the test.
func Open(t testing.TB, address, etc string, env ...string) {
	t.Helper()
	open(t, address, etc, quiet, nil, env)
}

// open starts Firefox and returns the folder of its profile, which has the prefs. An
// empty etc is the host's.
func open(t testing.TB, address, etc, prefs string, flags, env []string) (profile string) {
	t.Helper()
	path, err := exec.LookPath("firefox-esr")
	if err != nil {
		t.Fatalf("Firefox is missing: %v (apt-get install firefox-esr)", err)
	}
	profile = t.TempDir()
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(prefs), 0o600); err != nil {
		t.Fatal(err)
	}
	if etc != "" {
		path = private.Program(t, path, etc)
	}
	cmd := exec.Command(path, append(flags, "--headless", "--no-remote", "--profile", profile, address)...)
	cmd.Env = append(os.Environ(), append([]string{"HOME=" + profile, "MOZ_CRASHREPORTER_DISABLE=1"}, env...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL} // its content processes are in the group
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	return profile
}
