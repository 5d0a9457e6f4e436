package store

import (
	"context"
	"encoding/json"
	"time"

	"idp/internal/audit"
	"idp/internal/secret"
	"idp/internal/store/database"
)

// keepNotices is how long a notice waits for a mail server.
const keepNotices = 3 * 24 * time.Hour

// tell queues the mail by which a person learns of an event. writeEntry calls it, so
// that no change of how somebody logs in can leave it out. What the server itself does
// (the first ticket that tells a SID) is no news to anybody.
func (s *Store) tell(t database.Tx, e Entry) error {
	if !s.mail || e.UserID == "" || e.Actor == audit.ActorServer || !audit.Told(e.Event) {
		return nil
	}
	if e.Event == audit.UserChanged && e.OldEmail == "" {
		return nil
	}
	data, err := json.Marshal(Notice{At: e.At, Actor: field(e.Actor), Address: field(e.Address), To: e.OldEmail})
	if err != nil {
		return err
	}
	now := s.Now()
	return s.queueMail(t, Mail{ID: secret.ID(), UserID: e.UserID, Kind: e.Event, Data: string(data),
		NextAt: now, CreatedAt: now, ExpiresAt: now + keepNotices.Milliseconds()})
}

func (s *Store) queueMail(t database.Tx, m Mail) error {
	s.mailed.Add(1)
	_, err := t.Exec(`
		INSERT INTO mails (id, user_id, kind, data, attempts, next_at, created_at, expires_at)
		VALUES ($1, $2, $3, $4, 0, $5, $6, $7)`,
		m.ID, m.UserID, m.Kind, m.Data, m.NextAt, m.CreatedAt, m.ExpiresAt)
	return err
}

// MailsQueued gets a value when this process may have queued mail; several may wait by
// then. It has one reader.
func (s *Store) MailsQueued() <-chan struct{} { return s.mails }

// waking is a database that wakes whoever sends mail, after the commit. It may do so
// for the mail of an operation beside, which wakes again.
type waking struct {
	database.Database
	s *Store
}

func (w waking) Write(ctx context.Context, op func(database.Tx) error) error {
	before := w.s.mailed.Load()
	err := w.Database.Write(ctx, op)
	if err == nil && w.s.mailed.Load() != before {
		select {
		case w.s.mails <- struct{}{}:
		default: // whoever reads has a value waiting
		}
	}
	return err
}

// ClaimMails gives up to limit mails that are due to the caller, the oldest first, for
// lease from now: after that they are due again, for the caller may have died.
func (s *Store) ClaimMails(ctx context.Context, limit int, lease time.Duration) ([]Mail, error) {
	now := s.Now()
	var claimed []Mail
	err := s.db.Single(ctx, func(t database.Tx) error {
		claimed = nil
		return t.Query(func(scan database.Scan) error {
			var m Mail
			err := scan(&m.ID, &m.UserID, &m.Kind, &m.Data, &m.Attempts, &m.NextAt, &m.CreatedAt, &m.ExpiresAt)
			claimed = append(claimed, m)
			return err
		}, `
			UPDATE mails SET attempts = attempts + 1, next_at = $1
			WHERE next_at <= $2 AND expires_at > $2 AND id IN (
				SELECT m.id FROM mails m WHERE m.next_at <= $2 AND m.expires_at > $2 ORDER BY m.next_at, m.id LIMIT $3)
			RETURNING id, user_id, kind, data, attempts, next_at, created_at, expires_at`,
			now+lease.Milliseconds(), now, int64(limit))
	})
	return claimed, err
}

// SentMail forgets a claimed mail that was sent, or that has nobody to go to. ErrNotFound:
// the lease is over and the mail somebody else's, or gone.
func (s *Store) SentMail(ctx context.Context, claimed Mail) error {
	return s.execOne(ctx, `DELETE FROM mails WHERE id = $1 AND next_at = $2`, claimed.ID, claimed.NextAt)
}

// RetryMail lets a claimed mail wait for another attempt; ErrNotFound as SentMail.
func (s *Store) RetryMail(ctx context.Context, claimed Mail, next Millis) error {
	return s.execOne(ctx, `UPDATE mails SET next_at = $1 WHERE id = $2 AND next_at = $3`, next, claimed.ID, claimed.NextAt)
}

// GiveUpMail forgets a claimed mail that will not be sent, and writes down why;
// ErrNotFound as SentMail.
func (s *Store) GiveUpMail(ctx context.Context, claimed Mail, why string) error {
	return s.db.Write(ctx, func(t database.Tx) error {
		n, err := t.Exec(`DELETE FROM mails WHERE id = $1 AND next_at = $2`, claimed.ID, claimed.NextAt)
		if err := found(n, err); err != nil {
			return err
		}
		return s.writeEntry(t, Entry{Actor: audit.ActorServer, UserID: claimed.UserID, Detail: claimed.Kind + ": " + why}, audit.MailGivenUp)
	})
}
