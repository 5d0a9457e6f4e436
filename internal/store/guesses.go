package store

import (
	"context"
	"crypto/subtle"
	"slices"
	"time"

	"idp/internal/secret"
	"idp/internal/store/database"
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
	// GuessFromFull: so many passwords were wrong that came from there, that no more
	// are checked.
	GuessFromFull
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
	Reason string // what FailGuess was told of this very password; of GuessTaken: it is asked about again
	Until  Millis // of GuessLocked: when the first slot is free again
}

// Guess is the wish to check a password.
type Guess struct {
	Name  string // counted under this one
	Asked string // whose password it is said to be, where several are counted under one name
	Hash  []byte // of the password
	Limit int    // guesses under way or wrong at a time
	// Reserve: where all guesses were used up, strangers leave one, for a while, to
	// whoever is Known: comes from where this account has logged in before. And they get
	// the others only from where nothing wrong has come lately, so that whoever goes on
	// guessing gets none.
	Reserve, Known bool
	From           Origin
}

// contestedFor is how long one guess is left to those who are known, after a name was
// locked: more than a guess counts for, so that there is one when the next is free.
const contestedFor = time.Hour

// contested is the number of the slot that says so; it takes up none of the others.
const contested = -1

// TakeGuess is Take for whoever comes from nowhere.
func (s *Store) TakeGuess(ctx context.Context, name, asked string, passwordHash []byte, limit int, lease time.Duration, now Millis) (Taken, error) {
	return s.Take(ctx, Guess{Name: name, Asked: asked, Hash: passwordHash, Limit: limit}, lease, now)
}

// Take reserves one of the guesses at the password of a name before it is
// checked, for the time of lease. That no more than the limit can be under way or
// wrong at a time rests on the primary key (name, slot), not on counting. A guess
// that nobody settles is free again when the lease is over.
func (s *Store) Take(ctx context.Context, in Guess, lease time.Duration, now Millis) (Taken, error) {
	var taken Taken
	g := newGuess{Guess: in, token: secret.ID(), now: now, until: now + lease.Milliseconds()}
	err := s.db.Write(ctx, func(t database.Tx) error {
		for range in.Limit + 1 { // a free slot may be another's by the time it is taken
			held, err := slotsOf(t, in.Name, now)
			if err != nil {
				return err
			}
			var h slot
			if taken.State, h = judge(held, in); taken.State != GuessTaken {
				taken.Reason, taken.Until = h.reason, firstFree(held)
				return g.contest(t, taken.State, held)
			}
			from := in.fromWhere(held)
			got, err := g.take(t, h, from)
			if err != nil || got {
				taken.Token, taken.Reason = g.token, h.reason
				return err
			}
			if full, err := from.isFull(t, now); err != nil || full {
				taken.State, taken.Until = GuessFromFull, firstFree(held)
				if from != in.From {
					taken.State = GuessLocked
				}
				return err
			}
		}
		taken.State = GuessBusy
		return nil
	})
	return taken, err
}

func slotsOf(t database.Tx, name string, now Millis) (held []slot, err error) {
	err = t.Query(func(scan database.Scan) error {
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
		if h.number != contested && (until == 0 || h.until < until) {
			until = h.until
		}
	}
	return until
}

// judge says what the slots held by earlier guesses leave for this one, and
// which slot to take, or which holds this password already.
func judge(held []slot, g Guess) (GuessState, slot) {
	state, limit := GuessLocked, int64(g.Limit)
	taken := make(map[int64]bool, len(held))
	for _, h := range held {
		if h.number == contested {
			if g.Reserve && !g.Known {
				limit--
			}
			continue
		}
		taken[h.number] = true
		if subtle.ConstantTimeCompare(h.hash, g.Hash) == 1 {
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

// fromWhere is where a guess comes from, with what is borne from there.
func (g Guess) fromWhere(held []slot) Origin {
	from := g.From
	if g.Reserve && !g.Known && slices.ContainsFunc(held, func(h slot) bool { return h.number == contested }) {
		from.Limit = min(from.Limit, 1)
	}
	return from
}

// newGuess is a guess that wants a slot.
type newGuess struct {
	Guess
	token      string
	now, until Millis
}

// take is the one statement that decides who gets a slot: a free one, or the one
// in which the same password was refused and may be asked about again. From where
// too much was wrong nobody gets one.
func (g *newGuess) take(t database.Tx, s slot, from Origin) (bool, error) {
	n, err := t.Exec(`
		INSERT INTO guesses (name, slot, password_hash, token, failed, expires_at, asked)
		SELECT $1, $2, $3, $4, FALSE, $5, $7
		WHERE $8 = '' OR ($9 > (SELECT COUNT(*) FROM wrong_passwords w WHERE w.network = $8 AND w.expires_at > $6)
			AND $11 > (SELECT COUNT(*) FROM wrong_passwords w WHERE w.wide = $10 AND w.expires_at > $6))
		ON CONFLICT (name, slot) DO UPDATE SET password_hash = excluded.password_hash, token = excluded.token,
			failed = excluded.failed, expires_at = excluded.expires_at, asked = excluded.asked, reason = excluded.reason, again = excluded.again
		WHERE guesses.expires_at <= $6 OR (guesses.failed AND guesses.again AND guesses.password_hash = $3)`,
		g.Name, s.number, g.Hash, g.token, g.until, g.now, g.Asked, from.Network, int64(from.Limit), from.Wide, int64(from.WideLimit))
	return n == 1, err
}

// contest notes that a name was locked when somebody wanted to log in, unless that is
// known for long enough. It locks nothing and makes nothing last longer.
func (g *newGuess) contest(t database.Tx, state GuessState, held []slot) error {
	for _, h := range held {
		if h.number == contested && h.until-g.now > contestedFor.Milliseconds()/2 {
			return nil
		}
	}
	if state != GuessLocked || !g.Reserve {
		return nil
	}
	_, err := t.Exec(`
		INSERT INTO guesses (name, slot, password_hash, token, failed, expires_at) VALUES ($1, $2, $3, $4, TRUE, $5)
		ON CONFLICT (name, slot) DO UPDATE SET expires_at = excluded.expires_at`,
		g.Name, int64(contested), []byte{}, g.token, g.now+contestedFor.Milliseconds())
	return err
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
