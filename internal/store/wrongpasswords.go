package store

import (
	"context"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// Origin is where a password comes from, and how many wrong ones that came from there
// are borne at a time. The zero Origin is nowhere, and has no bound.
type Origin struct {
	Network   string // of the address
	Limit     int
	Wide      string // the network around it
	WideLimit int
}

// isFull tells, of a guess that got no slot, whether that was why.
func (o Origin) isFull(t database.Tx, now Millis) (bool, error) {
	if o.Network == "" {
		return false, nil
	}
	var near, around int64
	err := t.QueryRow([]any{&near, &around}, `
		SELECT (SELECT COUNT(*) FROM wrong_passwords w WHERE w.network = $1 AND w.expires_at > $3),
			(SELECT COUNT(*) FROM wrong_passwords w WHERE w.wide = $2 AND w.expires_at > $3)`, o.Network, o.Wide, now)
	return near >= int64(o.Limit) || around >= int64(o.WideLimit), err
}

// WrongPassword counts a password that was wrong against where it came from, until
// then. The same one (its hash is of the name, too) counts once, and no more are kept
// than what it takes to be refused: whoever goes on makes nothing last longer.
func (s *Store) WrongPassword(ctx context.Context, from Origin, hash []byte, until, now Millis) (counted bool, err error) {
	n, err := s.exec(ctx, `
		INSERT INTO wrong_passwords (network, hash, wide, expires_at)
		SELECT $1, $2, $3, $4 WHERE $5 > (SELECT COUNT(*) FROM wrong_passwords w WHERE w.network = $1 AND w.expires_at > $6)
			AND $7 > (SELECT COUNT(*) FROM wrong_passwords w WHERE w.wide = $3 AND w.expires_at > $6)
		ON CONFLICT (network, hash) DO UPDATE SET expires_at = excluded.expires_at WHERE wrong_passwords.expires_at <= $6`,
		from.Network, hash, from.Wide, until, int64(from.Limit), now, int64(from.WideLimit))
	return n == 1, err
}

// GuessedName is a name that wrong passwords are counted under, and for whom.
type GuessedName struct {
	Name, Asked string
	Until       Millis // the guess counts until then
}

// WrongGuesses lists the guesses that were wrong and count.
func (s *Store) WrongGuesses(ctx context.Context) ([]GuessedName, error) {
	return queryAll(ctx, s, func(g *GuessedName) []any { return []any{&g.Name, &g.Asked, &g.Until} }, `
		SELECT name, asked, expires_at FROM guesses WHERE failed AND slot >= 0 AND expires_at > $1 ORDER BY name, slot`, s.Now())
}

// Unlock forgets all guesses at names, those of a person.
func (s *Store) Unlock(ctx context.Context, names []string, e Entry) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		for _, name := range names {
			if _, err := t.Exec(`DELETE FROM guesses WHERE name = $1`, name); err != nil {
				return err
			}
		}
		return s.writeEntry(t, e, audit.UserUnlocked)
	})
}
