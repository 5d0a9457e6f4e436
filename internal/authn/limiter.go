package authn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"idp/internal/kerberos"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
)

// What the limiter counts by: the account, which is what is protected, here and in
// the directory behind the KDC; and where a password comes from (origin.go).
const (
	defaultFailures = 3
	failureWindow   = 30 * time.Minute // a wrong guess counts for so long
	guessLease      = 30 * time.Second // a guess whose process died is free again after this
	guessWait       = 5 * time.Second  // how long to wait for guesses in flight
	guessPoll       = 50 * time.Millisecond
)

// limiter counts guesses per canonical name in the database, so that all nodes
// count together. A guess takes a slot before the password is checked, and gives
// it back when the password was right or nobody could tell: with one slot left,
// a hundred guesses at once get one try, not a hundred.
//
// A password that was wrong within the window is answered from memory of it (a
// keyed hash): browsers and mail programs repeat a wrong password for hours, and
// each repetition would count against the account at the KDC.
//
// Whoever goes on guessing could keep a name locked for ever. So, once it was, one of
// the guesses is left to the browsers that have logged in to it before: its person
// waits half an hour at most.
type limiter struct {
	store *store.Store
	keys  [][]byte
	max   int
	now   func() time.Time
}

func newLimiter(c Config) *limiter {
	return &limiter{store: c.Store, keys: c.Ring.Derive("guess"), max: maxFailures(c.Section), now: c.Now}
}

func maxFailures(c kerberos.Config) int { return cmp.Or(c.MaxFailures, defaultFailures) }

// guess is one reserved slot.
type guess struct {
	limiter *limiter
	store.Guess
	token string
	was   reason.Code // for what the very same was refused before; empty: it was not
}

// hash is what is kept of a guess: who was asked for, which several names that
// count together are not, and the password. It is keyed, so that a stolen database
// does not tell what people mistype.
func (l *limiter) hash(asked string, password secret.String) []byte {
	return secret.MAC(l.keys[:1], []byte(asked+"\x00"+password.Reveal()))[0]
}

// take reserves a guess at an account's password. The error is a *reason.Error when
// there is none left, or when this password is known to be wrong.
func (l *limiter) take(ctx context.Context, acc account, password secret.String) (*guess, error) {
	g := store.Guess{Name: acc.counted, Asked: acc.asked(), Limit: l.max, Reserve: true, Known: acc.known, From: acc.origin}
	g.Hash = l.hash(g.Asked, password)
	if acc.known {
		g.From = store.Origin{} // whoever shares an address with one who guesses is not kept out
	}
	t, err := l.reserve(ctx, g)
	if err != nil {
		return nil, err
	}
	switch t.State {
	case store.GuessTaken:
		g.From = acc.origin
		return &guess{l, g, t.Token, reason.Code(t.Reason)}, nil
	case store.GuessKnownWrong:
		return nil, unasked(cmp.Or(reason.Code(t.Reason), reason.BadPassword), "the same password again; not asked")
	case store.GuessFromFull:
		return nil, unasked(reason.TooManyFromAddress, fmt.Sprintf("%d wrong passwords from %s, or %d from %s, within %s",
			g.From.Limit, g.From.Network, g.From.WideLimit, g.From.Wide, originWindow))
	}
	counted, err := l.wrongFrom(ctx, acc.origin, g.Hash)
	if err != nil {
		return nil, err
	}
	refused := reason.Refuse(reason.TooManyGuesses, fmt.Sprintf("%d wrong passwords for %s within %s", l.max, g.Name, failureWindow))
	refused.Unasked = !counted // came from there before, or as many as are counted from there
	return nil, refused
}

func unasked(why reason.Code, detail string) error { return repeated(reason.Refuse(why, detail)) }

// repeated is a refusal of what was refused before, which the audit log has.
func repeated(err error) error {
	var refused *reason.Error
	if err = typed(err); !errors.As(err, &refused) {
		return err
	}
	again := *refused // several callers may hold the error
	again.Unasked = true
	return &again
}

// reserve takes a slot of a name. It waits for guesses in flight, whose slots may
// come back, but not for ever: the state is GuessBusy then.
func (l *limiter) reserve(ctx context.Context, g store.Guess) (store.Taken, error) {
	for deadline := time.Now().Add(guessWait); ; {
		t, err := l.store.Take(ctx, g, guessLease, l.now().UnixMilli())
		if err != nil || t.State != store.GuessBusy || time.Now().After(deadline) {
			return t, err
		}
		if err := wait(ctx, guessPoll); err != nil {
			return store.Taken{}, err
		}
	}
}

// settle books what came of the guess: right clears the count of who was asked
// for, wrong keeps the slot taken, and where nobody could tell it is given back.
func (g *guess) settle(ctx context.Context, err error) error {
	ctx = context.WithoutCancel(ctx)
	l := g.limiter
	if err == nil {
		return l.store.ClearGuesses(ctx, g.Name, g.Asked, g.token)
	}
	code := reason.Of(typed(err))
	if again := slices.Contains(ofTheAccount, code); again || slices.Contains(ofThePassword, code) {
		failed := l.store.FailGuess(ctx, g.token, string(code), again, l.now().Add(failureWindow).UnixMilli())
		_, err := l.wrongFrom(ctx, g.From, g.Hash)
		return errors.Join(failed, err)
	}
	return l.store.GiveBackGuess(ctx, g.token)
}

// told is the refusal of a guess, which has been one before where the very same was
// refused for the same reason.
func (g *guess) told(err error) error {
	if g.was != "" && reason.Of(typed(err)) == g.was {
		return repeated(err)
	}
	return err
}

// What counts is what the visitor cannot tell from a wrong password: else "too
// many" would tell which accounts are locked or disabled. What is wrong with the
// account can be mended any moment, so the same password is asked about again then.
var (
	ofThePassword = []reason.Code{reason.BadPassword, reason.ClientUnknown, reason.FromOutside, reason.NotAPerson}
	ofTheAccount  = []reason.Code{reason.Locked, reason.Disabled, reason.AccountExpired, reason.Policy, reason.Etype, reason.UserDisabled}
)
