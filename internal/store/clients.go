package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// metadata is the client in a TEXT column: JSON with the names of RFC 7591, but for
// its keys. The release before reads them as a text that is JSON, and none of its
// relying parties if one of them is written otherwise.
type metadata Client

// fields is metadata without its methods.
type fields metadata

// stored is what metadata looks like in the column.
type stored struct {
	fields
	JWKS string `json:"jwks,omitempty"`
}

// MarshalJSON implements json.Marshaler.
func (m metadata) MarshalJSON() ([]byte, error) {
	return json.Marshal(stored{fields(m), string(m.JWKS)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (m *metadata) UnmarshalJSON(text []byte) error {
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	*m = metadata(s.fields)
	if s.JWKS != "" {
		m.JWKS = json.RawMessage(s.JWKS)
	}
	return nil
}

// Scan implements sql.Scanner.
func (m *metadata) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("client metadata: cannot read %T", src)
	}
	return json.Unmarshal([]byte(text), m)
}

func (c *Client) dest() []any { return []any{(*metadata)(c), &c.CreatedAt, &c.UpdatedAt} }

// Clients lists the relying parties of the database by id; those of the
// configuration file are not in it.
func (s *Store) Clients(ctx context.Context) ([]Client, error) {
	return queryAll(ctx, s, (*Client).dest, `SELECT metadata, created_at, updated_at FROM clients ORDER BY client_id`)
}

// VouchedClients is Clients without most that registered themselves (RFC 7591) and that
// no administrator has said to trust: strangers make up to a thousand, and it costs to
// read them. Whoever asks still has to look, for a text may hold the word.
func (s *Store) VouchedClients(ctx context.Context) ([]Client, error) {
	return queryAll(ctx, s, (*Client).dest, `
		SELECT metadata, created_at, updated_at FROM clients
		WHERE NOT registered OR metadata LIKE '%"trusted":true%' ORDER BY client_id`)
}

// ClientByID finds one relying party of the database.
func (s *Store) ClientByID(ctx context.Context, id string) (*Client, error) {
	c := &Client{}
	err := s.queryRow(ctx, c.dest(), `SELECT metadata, created_at, updated_at FROM clients WHERE client_id = $1`, id)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AddClient adds a relying party; ErrConflict when its id is taken. What an
// earlier owner of the id was granted or allowed stays, or becomes, revoked.
func (s *Store) AddClient(ctx context.Context, c Client, e Entry) error {
	return s.insertClient(ctx, c, math.MaxInt64, e, audit.ClientAdded)
}

// RegisterClient adds a relying party that registered itself (RFC 7591);
// ErrTooMany when there are limit of them.
func (s *Store) RegisterClient(ctx context.Context, c Client, limit int, e Entry) error {
	c.Registered = true
	return s.insertClient(ctx, c, int64(limit), e, audit.ClientRegistered)
}

// registrations is the setting whose row those who register take turns at: a
// count sees what others have committed only when nobody is about to.
const registrations = "client_registrations"

func (s *Store) insertClient(ctx context.Context, c Client, limit int64, e Entry, event string) error {
	text, err := json.Marshal(metadata(c))
	if err != nil {
		return err
	}
	if e.Detail, err = clientDetail(nil, text); err != nil {
		return err
	}
	e.ClientID = c.ClientID
	return s.revoking(ctx, func(t database.Tx) error {
		if c.Registered {
			_, err := t.Exec(`
				INSERT INTO settings (name, value) VALUES ($1, $2)
				ON CONFLICT (name) DO UPDATE SET value = excluded.value`, registrations, []byte{})
			if err != nil {
				return err
			}
		}
		now := s.Now()
		n, err := t.Exec(`
			INSERT INTO clients (client_id, metadata, registered, created_at, updated_at)
			SELECT $1, $2, $3, $4, $4 WHERE $5 > (SELECT COUNT(*) FROM clients c WHERE c.registered)
			ON CONFLICT DO NOTHING`, c.ClientID, string(text), c.Registered, now, limit)
		if err != nil {
			return err
		}
		if n == 0 {
			return clientRefused(t, c.ClientID)
		}
		return s.clientChanged(t, e, event, now)
	})
}

// clientRefused says why a client was not inserted.
func clientRefused(t database.Tx, id string) error {
	err := t.QueryRow([]any{&id}, `SELECT client_id FROM clients WHERE client_id = $1`, id)
	switch {
	case err == nil:
		return ErrConflict
	case errors.Is(err, ErrNotFound):
		return ErrTooMany
	}
	return err
}

// UpdateClient replaces a relying party of the database that was read before, as
// long as nobody else has changed it since: c.UpdatedAt says when it was read, and
// ErrConflict that it is another by now. revoke ends what it was granted: for
// changes by which it may do less.
func (s *Store) UpdateClient(ctx context.Context, c Client, revoke bool, e Entry) error {
	return s.replaceClient(ctx, c, revoke, e, audit.ClientChanged)
}

// maxClientSecrets is one in use and one to come.
const maxClientSecrets = 2

// AddClientSecret gives a relying party that was read before, as in UpdateClient,
// one more secret by its hash; ErrTooMany when it has two.
func (s *Store) AddClientSecret(ctx context.Context, c Client, hash []byte, e Entry) error {
	if len(c.SecretHashes) >= maxClientSecrets {
		return ErrTooMany
	}
	c.SecretHashes = append(slices.Clip(c.SecretHashes), hash)
	return s.replaceClient(ctx, c, false, e, audit.ClientSecretAdded)
}

// DropClientSecret leaves a relying party that was read before, as in
// UpdateClient, its newest secret; ErrNotFound when it has no older one.
func (s *Store) DropClientSecret(ctx context.Context, c Client, e Entry) error {
	if len(c.SecretHashes) < maxClientSecrets {
		return ErrNotFound
	}
	c.SecretHashes = c.SecretHashes[len(c.SecretHashes)-1:]
	return s.replaceClient(ctx, c, false, e, audit.ClientSecretDropped)
}

func (s *Store) replaceClient(ctx context.Context, c Client, revoke bool, e Entry, event string) error {
	text, err := json.Marshal(metadata(c))
	if err != nil {
		return err
	}
	e.ClientID = c.ClientID
	return s.revoking(ctx, func(t database.Tx) error {
		var before string
		if err := t.QueryRow([]any{&before}, `SELECT metadata FROM clients WHERE client_id = $1`, c.ClientID); err != nil {
			return err
		}
		if e.Detail, err = clientDetail([]byte(before), text); err != nil {
			return err
		}
		now := max(s.Now(), c.UpdatedAt+1) // two changes within a millisecond are two
		n, err := t.Exec(`
			UPDATE clients SET metadata = $1, updated_at = $2 WHERE client_id = $3 AND updated_at = $4`,
			string(text), now, c.ClientID, c.UpdatedAt)
		if err != nil {
			return err
		}
		switch {
		case n == 0: // it is another than was read, by the caller or just now
			return ErrConflict
		case revoke:
			if err := revokeOwnTokens(t, c.ClientID, now); err != nil {
				return err
			}
			return s.clientChanged(t, e, event, now)
		}
		return s.writeEntry(t, e, event)
	})
}

// RemoveClient removes a relying party and revokes all it was granted and allowed.
func (s *Store) RemoveClient(ctx context.Context, id string, e Entry) error {
	e.ClientID = id
	return s.revoking(ctx, func(t database.Tx) error {
		n, err := t.Exec(`DELETE FROM clients WHERE client_id = $1`, id)
		if err := found(n, err); err != nil {
			return err
		}
		if err := revokeOwnTokens(t, id, s.Now()); err != nil { // one of that id may be added again
			return err
		}
		return s.clientChanged(t, e, audit.ClientRemoved, s.Now())
	})
}

// clientChanged ends all that a client was given, in the order that RevokeConsent
// explains. A code that is inserted meanwhile, or by a node that has not heard yet,
// is looked at again when it is redeemed (Standing).
func (s *Store) clientChanged(t database.Tx, e Entry, event string, now Millis) error {
	_, err := t.Exec(`DELETE FROM consents WHERE client_id = $1`, e.ClientID)
	if err != nil {
		return err
	}
	_, err = execEach(t, []any{now - inFlight, e.ClientID},
		`DELETE FROM pushed_requests WHERE expires_at > $1 AND client_id = $2 AND length(pushed_hash) > 0`,
		`DELETE FROM codes WHERE expires_at > $1 AND client_id = $2`,
		`DELETE FROM device_codes WHERE expires_at > $1 AND client_id = $2`)
	if err != nil {
		return err
	}
	_, err = execEach(t, []any{now, e.ClientID},
		`UPDATE grants SET revoked_at = $1 WHERE client_id = $2 AND revoked_at = 0`,
		`UPDATE refresh_families SET revoked_at = $1 WHERE client_id = $2 AND revoked_at = 0`)
	if err != nil {
		return err
	}
	return s.writeEntry(t, e, event)
}
