package authn

import (
	"context"
	"slices"
	"strings"

	"idp/internal/kerberos"
	"idp/internal/store"
)

// Guesses are the wrong passwords that count against one account.
type Guesses struct {
	Names  []string     // they are counted under
	Wrong  int          // how many, under the name that has most
	Locked store.Millis // no password is checked until then; 0: some are
}

// GuessesAt finds those at an account, which has several names: that of a user, and
// what a realm calls them. The KDC is not asked, so what it takes for another name of
// the same account is found where somebody has guessed at this one, too.
func GuessesAt(ctx context.Context, st *store.Store, section kerberos.Config, names ...string) (g Guesses, err error) {
	a := &Authn{Config: Config{Store: st, Section: section}}
	if len(section.Realms) > 0 {
		a.passwords = (*kerberos.Acceptor)(nil) // its methods are not called: resolve only looks whether there is one
	}
	want := map[string]bool{}
	for _, name := range names {
		acc, err := a.resolve(ctx, name)
		if err != nil {
			return g, err
		}
		want[acc.canonical] = true
		want[a.countedHere(name)] = true // of a local user who has a password no more
	}
	all, err := st.WrongGuesses(ctx)
	if err != nil {
		return g, err
	}
	mine := map[string][]store.Millis{}
	for _, guess := range all {
		if want[strings.TrimPrefix(guess.Name, outsiders)] || want[countedAs(guess.Asked)] {
			mine[guess.Name] = nil
		}
	}
	for _, guess := range all {
		if _, ok := mine[guess.Name]; ok {
			mine[guess.Name] = append(mine[guess.Name], guess.Until)
		}
	}
	limit := maxFailures(section)
	for name, until := range mine {
		g.Names = append(g.Names, name)
		g.Wrong = max(g.Wrong, len(until))
		if len(until) >= limit {
			g.Locked = max(g.Locked, slices.Min(until))
		}
	}
	return g, nil
}

// countedAs is how guesses at a principal would be counted, of what asked says.
func countedAs(asked string) string {
	_, rest, _ := strings.Cut(asked, ":")
	realm, name, ok := strings.Cut(rest, ":")
	if !ok {
		return ""
	}
	return countedAtKDC(name, realm)
}
