package store

import (
	"context"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// Give is a grant that no code gives: for a ticket, or for what a proxy was told about
// somebody.
type Give struct {
	Grant Grant // its SessionID may be empty
	Login bool  // the user logs in by it; else a token is exchanged
	// Check may refuse, as things stand now. It runs inside the transaction: no I/O, no
	// crypto. Its error is returned as it is.
	Check func(Standing) error
	Entry Entry
}

// GiveGrant stores a grant and its audit row. ErrNotFound: the user is disabled or
// unknown, or the session that the grant names is over. What ends a user's grants
// meanwhile may miss it, for it lasts for minutes; their disabling does not.
func (s *Store) GiveGrant(ctx context.Context, g Give) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		now, err := standing(t, g.Grant.UserID, g.Grant.ClientID)
		if err != nil {
			return err
		}
		if now.User.Disabled {
			return ErrNotFound
		}
		if g.Grant.SessionID != "" {
			if err := liveSession(t, g.Grant); err != nil {
				return err
			}
		}
		if err := g.Check(now); err != nil {
			return err
		}
		if err := insertGrant(t, g.Grant, nil); err != nil {
			return err
		}
		e, event := g.Entry, audit.TokenExchanged
		if g.Login {
			event = audit.Login
		}
		e.UserID, e.Name, e.ClientID, e.SessionID = now.User.ID, now.User.Name, g.Grant.ClientID, g.Grant.SessionID
		return s.writeEntry(t, e, event)
	})
}

// liveSession is ErrNotFound where the session of a grant is over.
func liveSession(t database.Tx, g Grant) error {
	var id string
	return t.QueryRow([]any{&id}, `
		SELECT s.id FROM sessions s WHERE s.id = $2 AND s.user_id = $3 AND s.expires_at > $1 AND s.idle_expires_at > $1`,
		g.CreatedAt, g.SessionID, g.UserID)
}
