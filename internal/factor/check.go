package factor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"idp/internal/reason"
	"idp/internal/secret"
	"idp/internal/store"
)

// CheckCode checks a time-based code of a user, and uses it up. The error is a
// *reason.Error when it was refused.
func (f *Factors) CheckCode(ctx context.Context, userID string, typed secret.String) (factorID string, err error) {
	rows, err := f.Store.FactorsOf(ctx, userID)
	if err != nil {
		return "", err
	}
	code := readCode(typed)
	var refused error = reason.Refuse(reason.FactorUnknown, "the user has no app that makes codes")
	for _, row := range rows {
		if row.Kind != store.FactorTOTP {
			continue
		}
		err := f.checkRow(ctx, row, code)
		if err == nil {
			return row.ID, nil
		}
		if refused, err = worse(refused, err); err != nil {
			return "", err
		}
	}
	return "", refused
}

// worse is the refusal that tells more, of two apps, or the trouble that one made.
func worse(a, b error) (refused, trouble error) {
	switch reason.Of(b) {
	case "":
		return a, b
	case reason.BadCode:
		if reason.Of(a) == reason.CodeReplayed {
			return a, nil
		}
	}
	return b, nil
}

func (f *Factors) checkRow(ctx context.Context, row store.Factor, code string) error {
	seed, err := f.Ring.Open(sealPurpose, row.ID, row.Data)
	if err != nil {
		return fmt.Errorf("factor %s: %w", row.ID, err)
	}
	at, ok := stepOf(seed, code, f.Now(), skew)
	if !ok {
		return reason.Refuse(reason.BadCode, f.whyWrong(seed, code))
	}
	err = f.Store.AcceptFactor(ctx, row.UserID, row.ID, at)
	switch {
	case errors.Is(err, store.ErrReused):
		return reason.Refuse(reason.CodeReplayed, "a code of this time, or a later one, was accepted before")
	case errors.Is(err, store.ErrNotFound):
		return reason.Refuse(reason.FactorUnknown, "removed a moment ago")
	}
	return err
}

// whyWrong tells the log, and no visitor, when a clock is wrong: a code that will be
// right in five minutes must not be told from others.
func (f *Factors) whyWrong(seed []byte, code string) string {
	if code == "" {
		return "not six digits"
	}
	at, ok := stepOf(seed, code, f.Now(), farSkew)
	if !ok {
		return ""
	}
	d := time.Duration(at-step(f.Now())) * period * time.Second
	if d > 0 {
		return fmt.Sprintf("the code of a clock that is %s fast: the phone's, or this host's is slow", d)
	}
	return fmt.Sprintf("the code of a clock that is %s slow: the phone's, or this host's is fast", -d)
}

// NewApp is an app that somebody sets up.
type NewApp struct {
	Offer  Offer
	UserID string
	Name   string // what its person calls it
	Code   secret.String
	// First and PasswordHash as of store.NewFactor.
	First        bool
	PasswordHash string
	Entry        store.Entry
}

// Add keeps an offered secret as a user's factor, when the code shows that the app has
// it; the code is used up. The error is a *reason.Error when the code is wrong, else
// as of store.AddFactor.
func (f *Factors) Add(ctx context.Context, in NewApp) (factorID string, err error) {
	code := readCode(in.Code)
	at, ok := stepOf(in.Offer.seed, code, f.Now(), skew)
	if !ok {
		return "", reason.Refuse(reason.BadCode, f.whyWrong(in.Offer.seed, code))
	}
	id := secret.ID()
	return id, f.Store.AddFactor(ctx, store.NewFactor{
		Factor: store.Factor{ID: id, UserID: in.UserID, Kind: store.FactorTOTP, Name: in.Name, Counter: at,
			Data: f.Ring.Seal(sealPurpose, id, in.Offer.seed)},
		First: in.First, PasswordHash: in.PasswordHash, Entry: in.Entry,
	})
}
