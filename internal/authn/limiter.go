package authn

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
)

// What the limiter counts by. Per name, not per address: what is protected is
// the account, here and in the directory behind the KDC.
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
type limiter struct {
	store *store.Store
	keys  [][]byte
	max   int
	now   func() time.Time
}

func newLimiter(c Config) *limiter {
	l := &limiter{store: c.Store, keys: c.Ring.Derive("guess"), max: c.Section.MaxFailures, now: c.Now}
	if l.max == 0 {
		l.max = defaultFailures
	}
	return l
}

// guess is one reserved slot.
type guess struct {
	limiter *limiter
	name    string // counted under this one
	asked   string // and said to be this one's
	token   string
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
	name, asked := acc.counted, acc.asked()
	t, err := l.reserve(ctx, name, asked, l.hash(asked, password), l.max)
	switch {
	case err != nil:
		return nil, err
	case t.State == store.GuessTaken:
		return &guess{l, name, asked, t.Token}, nil
	case t.State == store.GuessKnownWrong:
		return nil, reason.Refuse(cmp.Or(reason.Code(t.Reason), reason.BadPassword), "the same password again; not asked")
	}
	return nil, reason.Refuse(reason.TooManyGuesses, fmt.Sprintf("%d wrong passwords for %s within %s", l.max, name, failureWindow))
}

// reserve takes a slot of a name. It waits for guesses in flight, whose slots may
// come back, but not for ever: the state is GuessBusy then.
func (l *limiter) reserve(ctx context.Context, name, asked string, hash []byte, limit int) (store.Taken, error) {
	for deadline := time.Now().Add(guessWait); ; {
		t, err := l.store.TakeGuess(ctx, name, asked, hash, limit, guessLease, l.now().UnixMilli())
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
	if err == nil {
		return g.limiter.store.ClearGuesses(ctx, g.name, g.asked, g.token)
	}
	code := reason.Of(typed(err))
	if again := slices.Contains(ofTheAccount, code); again || slices.Contains(ofThePassword, code) {
		return g.limiter.store.FailGuess(ctx, g.token, string(code), again, g.limiter.now().Add(failureWindow).UnixMilli())
	}
	return g.limiter.store.GiveBackGuess(ctx, g.token)
}

// What counts is what the visitor cannot tell from a wrong password: else "too
// many" would tell which accounts are locked or disabled. What is wrong with the
// account can be mended any moment, so the same password is asked about again then.
var (
	ofThePassword = []reason.Code{reason.BadPassword, reason.ClientUnknown, reason.FromOutside, reason.NotAPerson}
	ofTheAccount  = []reason.Code{reason.Locked, reason.Disabled, reason.AccountExpired, reason.Policy, reason.Etype, reason.UserDisabled}
)
