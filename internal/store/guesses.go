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
}

// TakeGuess reserves one of max guesses at the password of a name before it is
// checked, for the time of lease; asked is whose password it is said to be, where
// several are counted under one name. That no more than max can be under way or wrong at a
// time rests on the primary key (name, slot), not on counting. A
// guess that nobody settles is free again when the lease is over.
func (s *Store) TakeGuess(ctx context.Context, name, asked string, passwordHash []byte, limit int, lease time.Duration, now Millis) (GuessState, string, error) {
	token := secret.ID()
	var state GuessState
	err := s.db.write(ctx, func(t tx) error {
		for range limit + 1 { // a free slot may be another's by the time it is taken
			held, err := slotsOf(t, name, now)
			if err != nil {
				return err
			}
			var free int64
			if state, free = judge(held, passwordHash, int64(limit)); state != GuessTaken {
				return nil
			}
			taken, err := takeSlot(t, name, asked, free, passwordHash, token, now, lease)
			if err != nil || taken {
				return err
			}
		}
		state = GuessBusy
		return nil
	})
	if err != nil || state != GuessTaken {
		return state, "", err
	}
	return GuessTaken, token, nil
}

func slotsOf(t tx, name string, now Millis) (held []slot, err error) {
	err = t.Query(func(scan scanFunc) error {
		var h slot
		err := scan(&h.number, &h.hash, &h.failed)
		held = append(held, h)
		return err
	}, `SELECT slot, password_hash, failed FROM guesses WHERE name = $1 AND expires_at > $2`, name, now)
	return held, err
}

// judge says what the slots held by earlier guesses leave for this one, and
// which slot to try.
func judge(held []slot, hash []byte, limit int64) (state GuessState, free int64) {
	state = GuessLocked
	taken := make(map[int64]bool, len(held))
	for _, h := range held {
		taken[h.number] = true
		if subtle.ConstantTimeCompare(h.hash, hash) == 1 {
			if h.failed {
				return GuessKnownWrong, 0
			}
			return GuessBusy, 0
		}
		if !h.failed {
			state = GuessBusy
		}
	}
	for free = range limit {
		if !taken[free] {
			return GuessTaken, free
		}
	}
	return state, 0
}

// takeSlot is the one statement that decides who gets a slot.
func takeSlot(t tx, name, asked string, number int64, hash []byte, token string, now Millis, lease time.Duration) (bool, error) {
	n, err := t.Exec(`
		INSERT INTO guesses (name, slot, password_hash, token, failed, expires_at, asked) VALUES ($1, $2, $3, $4, FALSE, $5, $7)
		ON CONFLICT (name, slot) DO UPDATE SET password_hash = excluded.password_hash, token = excluded.token,
			failed = excluded.failed, expires_at = excluded.expires_at, asked = excluded.asked
		WHERE guesses.expires_at <= $6`, name, number, hash, token, now+lease.Milliseconds(), now, asked)
	return n == 1, err
}

// FailGuess books a reserved guess as wrong; it counts until then. A guess whose
// name was cleared in the meantime is forgotten.
func (s *Store) FailGuess(ctx context.Context, token string, until Millis) error {
	_, err := s.exec(ctx, `UPDATE guesses SET failed = TRUE, expires_at = $1 WHERE token = $2`, until, token)
	return err
}

// GiveBackGuess frees a reserved guess: nobody could tell whether it was right.
func (s *Store) GiveBackGuess(ctx context.Context, token string) error {
	_, err := s.exec(ctx, `DELETE FROM guesses WHERE token = $1 AND NOT failed`, token)
	return err
}

// ClearGuesses frees the slots of a name in which the password was said to be of
// asked: it was right now.
func (s *Store) ClearGuesses(ctx context.Context, name, asked string) error {
	_, err := s.exec(ctx, `DELETE FROM guesses WHERE name = $1 AND asked = $2`, name, asked)
	return err
}
