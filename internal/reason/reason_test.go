package reason

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAllListsEveryCode reads the table itself, so that a code added to it
// cannot be left out of All.
func TestAllListsEveryCode(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var want []Code
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		s, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, Code(s))
		return false
	})
	if d := cmp.Diff(want, All()); d != "" || len(want) == 0 {
		t.Error(d)
	}
}

func TestExplainJoinsDetailAndCause(t *testing.T) {
	for want, e := range map[string]*Error{
		"KDC_ERROR":                            {Reason: KDCError},
		"KDC_ERROR: AS-REP":                    {Reason: KDCError, Detail: "AS-REP"},
		"KDC_ERROR: file does not exist":       {Reason: KDCError, Err: fs.ErrNotExist},
		"KDC_ERROR: conf: file does not exist": {Reason: KDCError, Detail: "conf", Err: fs.ErrNotExist},
	} {
		if e.Error() != want || errors.Is(e, fs.ErrNotExist) != (e.Err != nil) {
			t.Errorf("%v, want %s", e, want)
		}
	}
}

func TestOfFindsTheRefusal(t *testing.T) {
	refused := Refuse(Realm, "OTHER.TEST")
	for want, errs := range map[Code][]error{
		Realm: {refused, fmt.Errorf("log in: %w", refused), errors.Join(fs.ErrClosed, refused)},
		"":    {nil, fs.ErrClosed},
	} {
		for _, err := range errs {
			if got := Of(err); got != want {
				t.Errorf("%v: %q, want %q", err, got, want)
			}
		}
	}
}
