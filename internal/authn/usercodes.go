package authn

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"idp/internal/policy"
	"idp/internal/secret"
	"idp/internal/store"
)

// How many wrong user codes count before nobody looks any more, within
// failureWindow. A code has 34 bits: thousands of devices may wait, and it still
// takes some hundred million guesses to hit one of them.
const (
	maxCodesPerUser    = 5
	maxCodesPerNetwork = 20
	// maxCodesInFullNetwork is for a user of a network whose own are used up.
	maxCodesInFullNetwork = 1
)

// UserCodes bounds guesses at the codes of devices that wait (RFC 8628 §5.1), as
// the limiter bounds those at passwords: on all nodes together, a slot reserved
// before anybody looks, the same wrong code counted once. They count for the user
// who types them, and for the network, of which one may have many users. Where the
// network's are used up, each of its users has one left: whoever shares a network
// with one who guesses, and has made no error, is not kept out. A right code clears
// nothing: whoever guesses can have one of their own.
type UserCodes struct{ limiter *limiter }

// NewUserCodes makes UserCodes.
func NewUserCodes(st *store.Store, ring *secret.Ring, now func() time.Time) *UserCodes {
	return &UserCodes{&limiter{store: st, keys: ring.Derive("user code guess"), now: now}}
}

// TooManyCodes means that so many codes were wrong that none is looked at.
type TooManyCodes struct{ Until time.Time }

func (e *TooManyCodes) Error() string {
	return fmt.Sprintf("too many wrong user codes: %d of a user or %d of a network within %s", maxCodesPerUser, maxCodesPerNetwork, failureWindow)
}

// Try calls look, which says whether the code is right, and counts it if it is
// not. The error is look's, or *TooManyCodes: then look was not called.
func (c *UserCodes) Try(ctx context.Context, userID string, from netip.Addr, code string, look func() (right bool, err error)) error {
	// A user's name has no slash in it, so these are nobody's.
	limit := maxCodesPerUser
	ofNetwork, err := c.take(ctx, "/device/network/"+policy.Network(from), code, maxCodesPerNetwork)
	var full *TooManyCodes
	if errors.As(err, &full) {
		limit, err = maxCodesInFullNetwork, nil
	}
	if err != nil {
		return err
	}
	ofUser, err := c.take(ctx, "/device/user/"+userID, code, limit)
	if err != nil {
		if ofNetwork != "" {
			_ = c.limiter.store.GiveBackGuess(context.WithoutCancel(ctx), ofNetwork) // or its lease ends
		}
		return err
	}
	right, err := look()
	for _, token := range []string{ofUser, ofNetwork} {
		if token == "" {
			continue
		}
		if settled := c.settle(ctx, token, right || err != nil); err == nil {
			err = settled
		}
	}
	return err
}

func (c *UserCodes) take(ctx context.Context, name, code string, limit int) (token string, err error) {
	l := c.limiter
	t, err := l.reserve(ctx, store.Guess{Name: name, Asked: name, Hash: l.hash(name, secret.String(code)), Limit: limit})
	if err == nil && t.State != store.GuessTaken {
		return "", &TooManyCodes{Until: time.UnixMilli(t.Until)}
	}
	return t.Token, err
}

// settle: a wrong code may be looked at again in its own slot, for it may be that
// of a device that asks only now.
func (c *UserCodes) settle(ctx context.Context, token string, giveBack bool) error {
	ctx, l := context.WithoutCancel(ctx), c.limiter
	if giveBack {
		return l.store.GiveBackGuess(ctx, token)
	}
	return l.store.FailGuess(ctx, token, "", true, l.now().Add(failureWindow).UnixMilli())
}
