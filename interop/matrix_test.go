package interop_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// counted are the numbers that README.md writes as words.
var counted = []string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}

// TestMatrixIsWhatTheTestsShow: every cell of the table in docs/interoperability.md
// has its tests in the software's section; a file of which one test is there has all
// its tests there; versions are those that are installed; README.md counts as many.
func TestMatrixIsWhatTheTestsShow(t *testing.T) {
	text, err := os.ReadFile("../docs/interoperability.md")
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(string(text), "\n## ")
	columns, rows := matrix(parts[0])
	if len(rows) == 0 || len(rows) != len(parts)-1 {
		t.Fatalf("%d rows, %d sections", len(rows), len(parts)-1)
	}
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if said := "What " + counted[len(rows)] + " libraries did"; !strings.Contains(string(readme), said) {
		t.Errorf("README.md does not say %q", said)
	}
	there, pinned := fileOfTests(t), pins(t)
	shown := map[string]bool{}
	for i, row := range rows {
		name, body, _ := strings.Cut(parts[i+1], "\n")
		if row[0] != name {
			t.Errorf("row %d is %s, the section in its place is %s", i+1, row[0], name)
		}
		if want, ok := pinned[strings.ToLower(name)]; ok && row[1] != want {
			t.Errorf("%s %s is installed, the table says %s", name, want, row[1])
		}
		tests := testsOf(body)
		for j, cell := range row[2:] {
			column := columns[j+2]
			if tried := len(tests[column]) > 0; tried != (cell != "–") {
				t.Errorf("%s, %s: the cell is %q, the section names %d tests", name, column, cell, len(tests[column]))
			}
			for _, test := range tests[column] {
				shown[test] = true
				if there[test] == "" {
					t.Errorf("%s, %s: %s is no test", name, column, test)
				}
			}
			delete(tests, column)
		}
		for column := range tests {
			t.Errorf("%s: %q is no column", name, column)
		}
	}
	files := map[string]bool{}
	for test := range shown {
		files[there[test]] = true
	}
	for test, file := range there {
		if files[file] && !shown[test] {
			t.Errorf("%s shows nothing in docs/interoperability.md", test)
		}
	}
}

// matrix reads the table: its head, and its rows.
func matrix(text string) (columns []string, rows [][]string) {
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "| ") {
			continue
		}
		var cells []string
		for _, cell := range strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|") {
			cells = append(cells, strings.TrimSpace(cell))
		}
		if columns == nil {
			columns = cells
		} else {
			rows = append(rows, cells)
		}
	}
	return columns, rows
}

// testsOf reads a section's table of tests: column → tests.
func testsOf(body string) map[string][]string {
	tests := map[string][]string{}
	for _, m := range regexp.MustCompile("(?m)^\\| ([^|]+) \\| (`Test.*) \\|$").FindAllStringSubmatch(body, -1) {
		for _, name := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(m[2], -1) {
			tests[m[1]] = append(tests[m[1]], name[1])
		}
	}
	return tests
}

// fileOfTests are the tests of this folder, and the file of each.
func fileOfTests(t *testing.T) map[string]string {
	t.Helper()
	paths, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	file := map[string]string{}
	for _, path := range paths {
		code, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(string(code), -1) {
			file[m[1]] = path
		}
	}
	return file
}

// pins are the versions that are installed, as far as files of ours say so: name in
// lower case → version.
func pins(t *testing.T) map[string]string {
	t.Helper()
	versions := map[string]string{}
	for file, pattern := range map[string]string{
		"requirements.txt": `(?m)^([a-z0-9-]+)==(\S+)`,
		"js/package.json":  `"([a-z0-9-]+)": "(\d[^"]*)"`,
		"../go.mod":        `(?m)^\tgithub.com/(?:coreos/)?(go-oidc|zitadel/oidc)/v3 v(\S+)`,
		"spring/pom.xml":   `(?s)<artifactId>(spring-boot)-starter-parent</artifactId>\s*<version>([^<]+)<`,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1)
		if len(found) == 0 {
			t.Errorf("%s says no version", file)
		}
		for _, m := range found {
			versions[m[1]] = m[2]
		}
	}
	versions["spring security"] = "Spring Boot " + versions["spring-boot"]
	return versions
}
