package authn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"idp/internal/policy"
	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
)

// maxCodes is how many wrong codes of a user count before none is looked at, within
// failureWindow. Of the million codes of an app three are right at any moment: five
// guesses in half an hour take two and a half years to find one with even chances,
// and the password must be known to make any.
const maxCodes = 5

// SecondFactor is what somebody shows who has shown the first.
type SecondFactor struct {
	As  string   // how the log calls it: code, recovery code, passkey
	AMR []string // what it adds (RFC 8176)
	// Typed is what could be guessed: it is counted. Empty: nothing could.
	Typed secret.String
	// Verify says whether it is right, and which factor it was (may be empty). The error
	// is a *reason.Error when it is not.
	Verify func(context.Context) (factorID string, err error)
}

// Second adds a second factor to the first. Guesses are counted on all nodes together,
// apart from those at passwords: wrong codes keep nobody from typing a password, nor
// wrong passwords from showing a code. Whoever does not know the password keeps nobody
// out at all; whoever does keeps nobody out of a browser that is known for longer than
// failureWindow.
//
// The error is a *reason.Error when it was refused; it comes a multiple of half a
// second after the call.
func (a *Authn) Second(ctx context.Context, first *Result, f SecondFactor, from policy.From) (*Result, error) {
	start := time.Now()
	id, err := a.second(ctx, first, f, from)
	if err != nil {
		err = a.failOf(ctx, from, first.User.ID, first.User.Name, err)
		return nil, errors.Join(err, a.waitOut(ctx, start))
	}
	res := *first
	res.AMR, res.FactorID, res.Second = policy.Combined(first.AMR, f.AMR), id, f.As
	return &res, nil
}

func (a *Authn) second(ctx context.Context, first *Result, f SecondFactor, from policy.From) (factorID string, err error) {
	u := first.User
	if f.Typed == "" {
		return f.Verify(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), checkTimeout)
	defer cancel()
	guess, err := a.limiter.takeCode(ctx, u.ID, f.Typed, knownFor(first, from))
	if err != nil {
		return "", err
	}
	guess.From = a.origin(from)
	id, err := f.Verify(ctx)
	if settled := guess.settleCode(ctx, err); settled != nil {
		return "", settled
	}
	return id, err
}

// knownFor: the browser has logged in to the account before, or is logged in.
func knownFor(first *Result, from policy.From) bool {
	return first.Continues != "" || (from.Known != nil && first.Account != "" && from.Known(first.Account))
}

// takeCode reserves a guess at a user's codes. A user's name has no slash in it, so
// this is no name's count. Strangers leave one to browsers that are known: whoever has
// the password alone cannot keep its owner from theirs.
func (l *limiter) takeCode(ctx context.Context, userID string, typed secret.String, known bool) (*guess, error) {
	name := "/factor/" + userID
	g := store.Guess{Name: name, Asked: name, Hash: l.hash(name, typed), Limit: maxCodes, Reserve: true, Known: known}
	t, err := l.reserve(ctx, g)
	switch {
	case err != nil:
		return nil, err
	case t.State == store.GuessTaken:
		return &guess{l, g, t.Token, ""}, nil
	case t.State == store.GuessKnownWrong:
		// Not looked at again, although it may be right by now: a guess that could be
		// made once in each half minute would be sixty.
		return nil, reason.Refuse(cmp.Or(reason.Code(t.Reason), reason.BadCode), "the same code again; not looked at")
	}
	return nil, reason.Refuse(reason.FactorLocked, fmt.Sprintf("%d wrong codes within %s", maxCodes, failureWindow))
}

// settleCode is settle for codes. A wrong one counts where it came from, too; but who
// has shown the first factor is not refused for what others did there.
func (g *guess) settleCode(ctx context.Context, err error) error {
	ctx = context.WithoutCancel(ctx)
	l := g.limiter
	switch code := reason.Of(err); {
	case err == nil:
		return l.store.ClearGuesses(ctx, g.Name, g.Asked, g.token)
	case slices.Contains(ofTheCode, code):
		failed := l.store.FailGuess(ctx, g.token, string(code), false, l.now().Add(failureWindow).UnixMilli())
		_, err := l.wrongFrom(ctx, g.From, g.Hash)
		return errors.Join(failed, err)
	}
	return l.store.GiveBackGuess(ctx, g.token)
}

// ofTheCode is what counts as a wrong guess.
var ofTheCode = []reason.Code{reason.BadCode, reason.CodeReplayed, reason.FactorUnknown}

// NeedsFactor books that a first factor was good and not enough for a program, which
// cannot show another. The error is a *reason.Error.
func (a *Authn) NeedsFactor(ctx context.Context, u *store.User, from policy.From) error {
	return a.failOf(ctx, from, u.ID, u.Name, reason.Refuse(reason.FactorNeeded, "a program cannot show a second factor: log in with a browser"))
}
