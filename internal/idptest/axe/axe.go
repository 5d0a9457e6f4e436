// Package axe looks for what keeps people with a disability from using a page: it
// runs axe-core in the page that a test's Chromium shows. scripts/install-axe fetches
// it; nothing of it is part of idp.
package axe

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// rules are those of WCAG 2.2, levels A and AA, and what axe-core's authors think
// good besides.
const rules = `["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`

// run returns a line for each thing that breaks a rule. What axe-core cannot decide by
// itself is a line of doubts.
const run = `axe.run(document, {runOnly: {type: "tag", values: ` + rules + `}}).then(found => {
  const lines = list => list.flatMap(rule => rule.nodes.map(n => rule.id + " at " + n.target.join(" ") + ": " + (n.failureSummary || rule.help).replace(/\s+/g, " ")));
  return {Passes: found.passes.length, Problems: lines(found.violations), Doubts: lines(found.incomplete)};
})`

// Checker runs axe-core.
type Checker struct{ script string }

// result is what run returns.
type result struct {
	Passes           int // rules that something on the page kept
	Problems, Doubts []string
}

// New reads axe-core.
func New(t testing.TB) *Checker {
	t.Helper()
	path := filepath.Join(root(t), ".cache", "axe", "axe.min.js")
	script, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (scripts/install-axe puts it there)", err)
	}
	return &Checker{string(script)}
}

// root is the folder of go.mod.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the test")
	return ""
}

// Check fails the test for everything on the page that breaks a rule. The page's own
// Content-Security-Policy does not hold for what a debugger evaluates.
func (c *Checker) Check(ctx context.Context, t testing.TB) {
	t.Helper()
	found, err := c.find(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if found.Passes == 0 {
		t.Error("axe-core found nothing to look at")
	}
	for _, p := range found.Problems {
		t.Error(p)
	}
	for _, d := range found.Doubts {
		t.Log("to be judged by people: " + d)
	}
}

func (c *Checker) find(ctx context.Context) (*result, error) {
	var found result
	wait := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	if err := chromedp.Run(ctx, chromedp.Evaluate(c.script, nil), chromedp.Evaluate(run, &found, wait)); err != nil {
		return nil, fmt.Errorf("axe-core: %w", err)
	}
	for i, line := range found.Problems {
		found.Problems[i] = strings.TrimSpace(line)
	}
	return &found, nil
}
