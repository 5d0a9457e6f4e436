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
