package store

import (
	"context"
	"encoding/json"
	"fmt"

	"idp/internal/audit"
)

// metadata is the client in a TEXT column: JSON with the names of RFC 7591.
type metadata Client

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
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	e.ClientID = c.ClientID
	return s.db.write(ctx, func(t tx) error {
		now := s.Now()
		n, err := t.Exec(`
			INSERT INTO clients (client_id, metadata, created_at, updated_at) VALUES ($1, $2, $3, $3)
			ON CONFLICT DO NOTHING`, c.ClientID, string(text), now)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrConflict
		}
		return s.clientChanged(t, e, audit.ClientAdded, now)
	})
}

// RemoveClient removes a relying party and revokes all it was granted and allowed.
func (s *Store) RemoveClient(ctx context.Context, id string, e Entry) error {
	e.ClientID = id
	return s.revoking(ctx, func(t tx) error {
		n, err := t.Exec(`DELETE FROM clients WHERE client_id = $1`, id)
		if err := found(n, err); err != nil {
			return err
		}
		return s.clientChanged(t, e, audit.ClientRemoved, s.Now())
	})
}

func (s *Store) clientChanged(t tx, e Entry, event string, now Millis) error {
	_, err := t.Exec(`DELETE FROM consents WHERE client_id = $1`, e.ClientID)
	if err != nil {
		return err
	}
	_, err = t.Exec(`UPDATE grants SET revoked_at = $1 WHERE client_id = $2 AND revoked_at = 0`, now, e.ClientID)
	if err != nil {
		return err
	}
	_, err = t.Exec(`UPDATE refresh_families SET revoked_at = $1 WHERE client_id = $2 AND revoked_at = 0`, now, e.ClientID)
	if err != nil {
		return err
	}
	return s.writeEntry(t, e, event)
}
