//go:build browser

package web

import (
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"idp/internal/idptest/axe"
)

// TestPagesForEverybody: axe-core finds nothing on any page, in both schemes, and on
// a telephone.
func TestPagesForEverybody(t *testing.T) {
	address, checker := serveStates(t), axe.New(t)
	for _, look := range []look{{1280, 800, 1, "light"}, {1280, 800, 1, "dark"}, {320, 640, 1, "light"}} {
		t.Run(look.String(), func(t *testing.T) {
			for some := range slices.Chunk(states(), perBrowser) {
				ctx := startStaying(t)
				for _, s := range some {
					t.Run(s.Name, func(t *testing.T) {
						if err := chromedp.Run(ctx, look.open(address, s), chromedp.Evaluate(opened, nil)); err != nil {
							t.Fatal(err)
						}
						checker.Check(ctx, t)
					})
				}
			}
		})
	}
}

// opened: what is folded away is looked at too.
const opened = `for (const d of document.querySelectorAll("details")) d.open = true`
