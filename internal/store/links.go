package store

import (
	"context"
	"time"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// What a link is for.
const (
	LinkInvitation = "invitation" // a first password
	LinkReset      = "reset"      // a new one
)

// keepLinks is how long a link that is over is kept, so that whoever opens it late can
// be told apart from whoever invents one, in the log. An invitation that nobody has used
// stays, one a user: it is why they cannot log in.
const keepLinks = 7 * 24 * time.Hour

const linkColumns = `l.hash, l.user_id, l.purpose, l.email, l.browser_hash, l.created_at, l.expires_at, l.used_at`

func (l *Link) dest() []any {
	return []any{&l.Hash, &l.UserID, &l.Purpose, &l.Email, &l.BrowserHash, &l.CreatedAt, &l.ExpiresAt, &l.UsedAt}
}

// CreateLink makes a link, in place of those that its user has, and with it the mail
// that takes it there; nil: the caller hands it on. ErrNotFound: there is no such user,
// or they are disabled.
func (s *Store) CreateLink(ctx context.Context, l Link, m *Mail, e Entry) error {
	e.UserID = l.UserID
	return s.db.Write(ctx, func(t database.Tx) error {
		// Locks the user's row: of two links at once the later one stays.
		n, err := t.Exec(`UPDATE users SET updated_at = updated_at WHERE id = $1 AND NOT disabled`, l.UserID)
		if err := found(n, err); err != nil {
			return err
		}
		if err := dropLinks(t, l.UserID); err != nil {
			return err
		}
		_, err = t.Exec(`
			INSERT INTO links (hash, user_id, purpose, email, browser_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			l.Hash, l.UserID, l.Purpose, l.Email, []byte{}, l.CreatedAt, l.ExpiresAt)
		if err != nil {
			return err
		}
		if m != nil {
			if err := s.queueMail(t, *m); err != nil {
				return err
			}
		}
		return s.writeEntry(t, e, audit.LinkMade)
	})
}

// dropLinks ends the links of a user that were not used yet, those on their way
// included.
func dropLinks(t database.Tx, userID string) error {
	_, err := t.Exec(`DELETE FROM links WHERE user_id = $1 AND used_at = 0`, userID)
	if err == nil {
		_, err = t.Exec(`DELETE FROM mails WHERE user_id = $1 AND kind IN ($2, $3)`, userID, LinkInvitation, LinkReset)
	}
	return err
}

// Link reads a link and its user, whether it is still good or not.
func (s *Store) Link(ctx context.Context, hash []byte) (*Link, *User, error) {
	l, u := &Link{}, &User{}
	err := s.queryRow(ctx, append(l.dest(), u.dest()...), `
		SELECT `+linkColumns+`, `+userColumns+` FROM links l JOIN users u ON u.id = l.user_id WHERE l.hash = $1`, hash)
	if err != nil {
		return nil, nil, err
	}
	return l, u, nil
}

// InvitationsBetween lists the invitations that are kept of the users whose names come
// behind one name and up to another, those of a page of Users; of each the newest last.
func (s *Store) InvitationsBetween(ctx context.Context, after, last string) ([]Link, error) {
	return queryAll(ctx, s, (*Link).dest, `
		SELECT `+linkColumns+` FROM links l JOIN users u ON u.id = l.user_id
		WHERE u.name > $1 AND u.name <= $2 AND l.purpose = $3 ORDER BY u.name, l.created_at, l.hash`, after, last, LinkInvitation)
}

// LinkOfBrowser is Link for the browser with the cookie that it got when it opened one;
// the newest, where it has opened several.
func (s *Store) LinkOfBrowser(ctx context.Context, browserHash []byte) (*Link, *User, error) {
	l, u := &Link{}, &User{}
	if len(browserHash) == 0 {
		return nil, nil, ErrNotFound
	}
	err := s.queryRow(ctx, append(l.dest(), u.dest()...), `
		SELECT `+linkColumns+`, `+userColumns+` FROM links l JOIN users u ON u.id = l.user_id
		WHERE l.browser_hash = $1 ORDER BY l.created_at DESC`, browserHash)
	if err != nil {
		return nil, nil, err
	}
	return l, u, nil
}

// OpenLink binds a link to the first browser that opens it. ErrNotFound: another one
// has, or the link or its user is no good any more.
func (s *Store) OpenLink(ctx context.Context, hash, browserHash []byte, e Entry) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		err := t.QueryRow([]any{&e.UserID, &e.Detail}, `
			UPDATE links SET browser_hash = $1 WHERE hash = $2 AND browser_hash = $3 AND used_at = 0 AND expires_at > $4
			AND EXISTS (SELECT 1 FROM users u WHERE u.id = links.user_id AND NOT u.disabled)
			RETURNING user_id, purpose`, browserHash, hash, []byte{}, s.Now())
		if err != nil {
			return err
		}
		return s.writeEntry(t, e, audit.LinkOpened)
	})
}

// UseLink sets the password that the browser of a link has chosen, once, and ends all
// that the one before gave. Who has read the mail has the address. ErrNotFound: the link
// is another browser's, used or over, or its user is disabled.
func (s *Store) UseLink(ctx context.Context, hash, browserHash []byte, passwordHash string, e Entry) error {
	if len(browserHash) == 0 { // as those have that nobody has opened
		return ErrNotFound
	}
	return s.ending(ctx, func(t database.Tx) (int64, error) {
		var l Link
		if err := t.QueryRow(l.dest(), `SELECT `+linkColumns+` FROM links l WHERE l.hash = $1`, hash); err != nil {
			return 0, err
		}
		now := s.Now()
		// The user first, as whatever ends links does.
		n, err := t.Exec(`
			UPDATE users SET password_hash = $1, email_verified = (email_verified OR (email <> '' AND email = $2)), updated_at = $3
			WHERE id = $4 AND NOT disabled`, passwordHash, l.Email, now, l.UserID)
		if err := found(n, err); err != nil {
			return 0, err
		}
		n, err = t.Exec(`
			UPDATE links SET used_at = $1 WHERE hash = $2 AND browser_hash = $3 AND used_at = 0 AND expires_at > $1`, now, hash, browserHash)
		if err := found(n, err); err != nil {
			return 0, err
		}
		queued, err := endUser(t, l.UserID, now)
		if err != nil {
			return 0, err
		}
		e.Detail = "by a link: " + l.Purpose
		return queued, s.changed(t, n, l.UserID, e, audit.PasswordChanged)
	})
}
