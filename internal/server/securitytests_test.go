package server_test

import (
	"os"
	"os/exec"
	"path"
	"regexp"
	"strings"
	"testing"
)

// TestSecurityTestsExist: docs/security-tests.md names tests that there are, and
// leaves out none that is named after a hole and no fuzz target.
func TestSecurityTestsExist(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/security-tests.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile("`([a-z]+\\.(?:Test|Fuzz)\\w+)`").FindAllStringSubmatch(string(text), -1) {
		documented[m[1]] = true
	}
	there := testNames(t)
	for name := range documented {
		if !there[name] {
			t.Errorf("docs/security-tests.md names %s, which is no test", name)
		}
	}
	for name := range there {
		_, function, _ := strings.Cut(name, ".")
		if (strings.HasPrefix(function, "TestHole") || strings.HasPrefix(function, "Fuzz")) && !documented[name] {
			t.Errorf("%s is not in docs/security-tests.md", name)
		}
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| ") && !strings.HasPrefix(line, "| hole") && !strings.HasPrefix(line, "| what |") && !strings.Contains(line, "`") {
			t.Errorf("a hole without a test: %s", line)
		}
	}
}

// testNames are the tests and fuzz targets of all packages, those behind build tags
// too, as package.Name.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	out, err := exec.Command("go", "list", "-tags", "browser,interop,bench,recipes,traefik", "-f", `{{$p := .}}{{range .TestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}{{range .XTestGoFiles}}{{$p.ImportPath}} {{$p.Dir}}/{{.}}{{"\n"}}{{end}}`, "idp/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	names := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(\w+ \*testing\.`)
	for line := range strings.Lines(string(out)) {
		pkg, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		code, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range declared.FindAllStringSubmatch(string(code), -1) {
			names[path.Base(pkg)+"."+m[1]] = true
		}
	}
	if len(names) < 100 {
		t.Fatalf("%d tests found: this test would pass with anything", len(names))
	}
	return names
}
