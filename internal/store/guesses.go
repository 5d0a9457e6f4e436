package store

import (
	"context"
	"crypto/subtle"
	"time"

	"idp/internal/secret"
)

// GuessState is the answer to a wish to check a password.
type GuessState int

const (
	// GuessTaken: a slot is reserved, check the password.
	GuessTaken GuessState = iota
	// GuessKnownWrong: this very password was wrong a while ago.
	GuessKnownWrong
	// GuessBusy: no slot is free now, but one is in flight and may come back;
	// or this very password is being checked.
	GuessBusy
	// GuessLocked: every slot holds a wrong guess.
	GuessLocked
)

// slot is one row of a name.
type slot struct {
	number int64
	hash   []byte
	failed bool
	reason string
	again  bool
	until  Millis
}

// Taken is what came of the wish to check a password.
type Taken struct {
	State  GuessState
	Token  string // of GuessTaken: settles it
	Reason string // of GuessKnownWrong: what FailGuess was told
	Until  Millis // of GuessLocked: when the first slot is free again
}

// TakeGuess reserves one of max guesses at the password of a name before it is
// checked, for the time of lease; asked is whose password it is said to be, where
// several are counted under one name. That no more than max can be under way or
// wrong at a time rests on the primary key (name, slot), not on counting. A guess
// that nobody settles is free again when the lease is over.
func (s *Store) TakeGuess(ctx context.Context, name, asked string, passwordHash []byte, limit int, lease time.Duration, now Millis) (Taken, error) {
	var taken Taken
	g := newGuess{name: name, asked: asked, hash: passwordHash, token: secret.ID(), now: now, until: now + lease.Milliseconds()}
	err := s.db.write(ctx, func(t tx) error {
		for range limit + 1 { // a free slot may be another's by the time it is taken
			held, err := slotsOf(t, name, now)
			if err != nil {
				return err
			}
			var h slot
			if taken.State, h = judge(held, passwordHash, int64(limit)); taken.State != GuessTaken {
				taken.Reason, taken.Until = h.reason, firstFree(held)
				return nil
			}
			got, err := g.take(t, h)
			if err != nil || got {
				taken.Token = g.token
				return err
			}
		}
		taken.State = GuessBusy
		return nil
	})
	return taken, err
}

func slotsOf(t tx, name string, now Millis) (held []slot, err error) {
	err = t.Query(func(scan scanFunc) error {
		var h slot
		err := scan(&h.number, &h.hash, &h.failed, &h.reason, &h.again, &h.until)
		held = append(held, h)
		return err
	}, `SELECT slot, password_hash, failed, reason, again, expires_at FROM guesses WHERE name = $1 AND expires_at > $2`, name, now)
	return held, err
}

// firstFree is when the first of the slots is free again; 0 when none is held.
func firstFree(held []slot) (until Millis) {
	for _, h := range held {
		if until == 0 || h.until < until {
			until = h.until
		}
	}
	return until
}

// judge says what the slots held by earlier guesses leave for this one, and
// which slot to take, or which holds this password already.
func judge(held []slot, hash []byte, limit int64) (GuessState, slot) {
	state := GuessLocked
	taken := make(map[int64]bool, len(held))
	for _, h := range held {
		taken[h.number] = true
		if subtle.ConstantTimeCompare(h.hash, hash) == 1 {
			switch {
			case !h.failed:
				return GuessBusy, h
			case h.again:
				return GuessTaken, h
			}
			return GuessKnownWrong, h
		}
		if !h.failed {
			state = GuessBusy
		}
	}
	for free := range limit {
		if !taken[free] {
			return GuessTaken, slot{number: free}
		}
	}
	return state, slot{}
}

// newGuess is a guess that wants a slot.
type newGuess struct {
	name, asked, token string
	hash               []byte
	now, until         Millis
}

// take is the one statement that decides who gets a slot: a free one, or the one
// in which the same password was refused and may be asked about again.
func (g *newGuess) take(t tx, s slot) (bool, error) {
	n, err := t.Exec(`
		INSERT INTO guesses (name, slot, password_hash, token, failed, expires_at, asked) VALUES ($1, $2, $3, $4, FALSE, $5, $7)
		ON CONFLICT (name, slot) DO UPDATE SET password_hash = excluded.password_hash, token = excluded.token,
			failed = excluded.failed, expires_at = excluded.expires_at, asked = excluded.asked, reason = excluded.reason, again = excluded.again
		WHERE guesses.expires_at <= $6 OR (guesses.failed AND guesses.again AND guesses.password_hash = $3)`,
		g.name, s.number, g.hash, g.token, g.until, g.now, g.asked)
	return n == 1, err
}

// FailGuess books a reserved guess as refused for a reason; it counts until then.
// With again the same password may be asked about again, in its slot. A guess
// whose name was cleared in the meantime is forgotten.
func (s *Store) FailGuess(ctx context.Context, token, reason string, again bool, until Millis) error {
	_, err := s.exec(ctx, `UPDATE guesses SET failed = TRUE, expires_at = $1, reason = $3, again = $4 WHERE token = $2`, until, token, reason, again)
	return err
}

// GiveBackGuess frees a reserved guess: nobody could tell whether it was right.
func (s *Store) GiveBackGuess(ctx context.Context, token string) error {
	_, err := s.exec(ctx, `DELETE FROM guesses WHERE token = $1 AND NOT failed`, token)
	return err
}

// ClearGuesses frees the guess that was right and, of the name's slots, those in
// which another password of the same asked was refused.
func (s *Store) ClearGuesses(ctx context.Context, name, asked, token string) error {
	_, err := s.exec(ctx, `DELETE FROM guesses WHERE name = $1 AND asked = $2 AND (failed OR token = $3)`, name, asked, token)
	return err
}
