package reason

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestEveryCodeIsDocumented: the headings of the document are the codes, no more
// and no fewer, and under each stands what it means.
func TestEveryCodeIsDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/kerberos-errors.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []Code
	heading := regexp.MustCompile(`(?m)^### (.*)\n(.*)\n`)
	for _, m := range heading.FindAllStringSubmatch(string(text), -1) {
		if len(m[2]) < 20 {
			t.Errorf("%s: nothing is said about it", m[1])
		}
		for code := range strings.SplitSeq(m[1], ", ") {
			documented = append(documented, Code(code))
		}
	}
	for _, c := range All() {
		if !slices.Contains(documented, c) {
			t.Errorf("%s is not in docs/kerberos-errors.md", c)
		}
	}
	for _, c := range documented {
		if !slices.Contains(All(), c) {
			t.Errorf("docs/kerberos-errors.md has %s, which is no reason", c)
		}
	}
}

// TestEveryCodeOfSitesIsDocumented: the table of the document has the codes of sites.go,
// in their order or another.
func TestEveryCodeOfSitesIsDocumented(t *testing.T) {
	find := func(file, pattern string) (found []string) {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
			found = append(found, m[1])
		}
		slices.Sort(found)
		return found
	}
	codes := find("sites.go", `Code = "(\w+)"`)
	documented := find("../../docs/forward-auth.md", "(?m)^\\| `([A-Z_]+)` \\| .* \\| .* \\|$")
	if !slices.Equal(codes, documented) || len(codes) == 0 {
		t.Errorf("sites.go has %q, docs/forward-auth.md %q", codes, documented)
	}
}
