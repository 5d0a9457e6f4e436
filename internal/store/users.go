package store

import (
	"context"
	"errors"

	"idp/internal/audit"
	"idp/internal/secret"
	"idp/internal/store/database"
)

// userColumns of users AS u, in the order of (*User).dest.
const userColumns = `u.id, u.name, u.full_name, u.email, u.email_verified, u.password_hash, u.groups, u.claims, u.admin, u.disabled,
	u.created_at, u.updated_at`

func (u *User) dest() []any {
	return []any{&u.ID, &u.Name, &u.FullName, &u.Email, &u.EmailVerified, &u.PasswordHash, (*textList)(&u.Groups), &u.Claims, &u.Admin,
		&u.Disabled, &u.CreatedAt, &u.UpdatedAt}
}

// CreateUser adds a user, and what an outside source knows him by unless that
// is nil. An empty ID is filled with a random one. ErrConflict: the name, in whatever
// case its letters (A to Z) are, the ID or the identity is taken.
func (s *Store) CreateUser(ctx context.Context, u User, identity *Identity, e Entry) (User, error) {
	if u.ID == "" {
		u.ID = secret.ID()
	}
	u.CreatedAt = s.Now()
	u.UpdatedAt = u.CreatedAt
	err := s.db.Write(ctx, func(t database.Tx) error { return s.insertUser(t, u, identity, e) })
	return u, err
}

// insertUser adds a user who has an id.
func (s *Store) insertUser(t database.Tx, u User, identity *Identity, e Entry) error {
	err := t.QueryRow([]any{new(string)}, nameHolder, u.Name)
	if err == nil {
		return ErrConflict
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	n, err := t.Exec(`
		INSERT INTO users (id, name, full_name, email, email_verified, password_hash, groups, claims, admin, disabled, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11) ON CONFLICT DO NOTHING`,
		u.ID, u.Name, u.FullName, u.Email, u.EmailVerified, u.PasswordHash, encodeList(u.Groups), u.Claims.encode(), u.Admin, u.Disabled, u.CreatedAt)
	if err != nil {
		return err
	}
	if n == 0 {
		return ErrConflict
	}
	if identity != nil {
		if err := s.insertIdentity(t, Identity{Source: identity.Source, Key: identity.Key, UserID: u.ID, Label: identity.Label, Groups: identity.Groups}); err != nil {
			return err
		}
	}
	e.UserID = u.ID
	if e.Name == "" {
		e.Name = u.Name
	}
	if e.Detail, err = userDetail(u, identity); err != nil {
		return err
	}
	return s.writeEntry(t, e, audit.UserAdded)
}

// UserByID finds a user by `sub`.
func (s *Store) UserByID(ctx context.Context, id string) (*User, error) {
	u := &User{}
	if err := s.queryRow(ctx, u.dest(), `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, id); err != nil {
		return nil, err
	}
	return u, nil
}

// UserByName finds a user by the exact name; the caller has folded its case.
func (s *Store) UserByName(ctx context.Context, name string) (*User, error) {
	u := &User{}
	if err := s.queryRow(ctx, u.dest(), `SELECT `+userColumns+` FROM users u WHERE u.name = $1`, name); err != nil {
		return nil, err
	}
	return u, nil
}

// nameHolder finds who has a name, first to the letter and then in another case.
const nameHolder = `SELECT u.name FROM users u WHERE lower(u.name) = lower($1) ORDER BY CASE WHEN u.name = $1 THEN 0 ELSE 1 END, u.name LIMIT 1`

// NameHolder is the name of the user who has a name, or one that differs from it in
// nothing but the case of its letters: nobody else can get it. ErrNotFound: it is free.
func (s *Store) NameHolder(ctx context.Context, name string) (holder string, err error) {
	err = s.queryRow(ctx, []any{&holder}, nameHolder, name)
	return holder, err
}

// Users lists users by name, starting after a name; limit 0 is 100, at most 1,000.
func (s *Store) Users(ctx context.Context, after string, limit int) ([]User, error) {
	return queryAll(ctx, s, (*User).dest, `
		SELECT `+userColumns+` FROM users u WHERE u.name > $1 ORDER BY u.name LIMIT $2`, after, pageSize(limit))
}

// SetPassword sets the hash of a local password. Whoever knew the old one is out:
// the user's sessions end and their grants are revoked, in the same transaction.
func (s *Store) SetPassword(ctx context.Context, userID, hash string, e Entry) error {
	return s.ending(ctx, func(t database.Tx) (int64, error) {
		now := s.Now()
		n, err := t.Exec(`UPDATE users SET password_hash = $1, updated_at = $2 WHERE id = $3`, hash, now, userID)
		if err := found(n, err); err != nil {
			return 0, err
		}
		queued, err := endUser(t, userID, now)
		if err != nil {
			return 0, err
		}
		return queued, s.changed(t, n, userID, e, audit.PasswordChanged)
	})
}

// RehashPassword replaces the hash of an unchanged password by a stronger one;
// nothing happens when the password was changed meanwhile. It changes no trust,
// so there is no audit row.
func (s *Store) RehashPassword(ctx context.Context, userID, oldHash, newHash string) error {
	_, err := s.exec(ctx, `UPDATE users SET password_hash = $1 WHERE id = $2 AND password_hash = $3`, newHash, userID, oldHash)
	return err
}

// SetAdmin gives a user the admin pages, or takes them away.
func (s *Store) SetAdmin(ctx context.Context, userID string, admin bool, e Entry) error {
	return s.revoking(ctx, func(t database.Tx) error {
		n, err := t.Exec(`UPDATE users SET admin = $1, updated_at = $2 WHERE id = $3`, admin, s.Now(), userID)
		if err != nil {
			return err
		}
		return s.changed(t, n, userID, e, audit.UserAdmin)
	})
}

// SetDisabled disables or enables a user. Both end all sessions and revoke all
// grants: a code that was being redeemed while the user was disabled may have
// left a grant behind, which must not come alive with the user.
func (s *Store) SetDisabled(ctx context.Context, userID string, disabled bool, e Entry) error {
	event := audit.UserEnabled
	if disabled {
		event = audit.UserDisabled
	}
	return s.ending(ctx, func(t database.Tx) (int64, error) {
		now := s.Now()
		n, err := t.Exec(`UPDATE users SET disabled = $1, updated_at = $2 WHERE id = $3`, disabled, now, userID)
		if err := found(n, err); err != nil {
			return 0, err
		}
		queued, err := endUser(t, userID, now)
		if err != nil {
			return 0, err
		}
		return queued, s.changed(t, n, userID, e, event)
	})
}

// SetProfile sets what a directory or an admin says about a user. Nothing is
// written, the audit row included, when that is what the row holds already. A
// new mail address is not verified.
func (s *Store) SetProfile(ctx context.Context, userID, fullName, email string, groups []string, e Entry) error {
	return s.revoking(ctx, func(t database.Tx) error {
		var was string
		if err := t.QueryRow([]any{&was}, `SELECT email FROM users WHERE id = $1`, userID); err != nil {
			return err
		}
		n, err := t.Exec(`
			UPDATE users SET full_name = $1, email = $2, groups = $3, email_verified = (email_verified AND email = $2), updated_at = $4
			WHERE id = $5 AND (full_name <> $1 OR email <> $2 OR groups <> $3)`,
			fullName, email, encodeList(groups), s.Now(), userID)
		if err != nil || n == 0 {
			return err
		}
		e.OldEmail = oldEmail(was, email)
		return s.changed(t, n, userID, e, audit.UserChanged)
	})
}

// oldEmail is the address that is told of another one.
func oldEmail(was, is string) string {
	if was == is {
		return ""
	}
	return was
}

// UpdateUser replaces what sites are told of a user who was read before (full name,
// mail address, groups, claims), as long as nobody else has changed it since:
// u.UpdatedAt says when it was read, and ErrConflict that it is another by now.
// Sessions and grants stay. A new mail address is not verified.
func (s *Store) UpdateUser(ctx context.Context, u User, e Entry) error {
	return s.revoking(ctx, func(t database.Tx) error {
		var was User
		if err := t.QueryRow(was.dest(), `SELECT `+userColumns+` FROM users u WHERE u.id = $1`, u.ID); err != nil {
			return err
		}
		n, err := t.Exec(`
			UPDATE users SET full_name = $1, email = $2, groups = $3, claims = $4, email_verified = (email_verified AND email = $2), updated_at = $5
			WHERE id = $6 AND updated_at = $7`,
			u.FullName, u.Email, encodeList(u.Groups), u.Claims.encode(), max(s.Now(), u.UpdatedAt+1), u.ID, u.UpdatedAt)
		if err == nil && n == 0 {
			return ErrConflict
		}
		if err != nil {
			return err
		}
		if e.Detail, err = profileDetail(was, u); err != nil {
			return err
		}
		e.OldEmail = oldEmail(was.Email, u.Email)
		return s.changed(t, n, u.ID, e, audit.UserChanged)
	})
}

// changed writes the audit row of a change to one user, whom the statement must
// have found.
func (s *Store) changed(t database.Tx, n int64, userID string, e Entry, event string) error {
	if n == 0 {
		return ErrNotFound
	}
	if e.UserID == "" {
		e.UserID = userID
	}
	return s.writeEntry(t, e, event)
}

// found turns "no row changed" into ErrNotFound.
func found(n int64, err error) error {
	if err == nil && n == 0 {
		return ErrNotFound
	}
	return err
}
