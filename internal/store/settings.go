package store

import "context"

// Setting returns a value kept under a name; ErrNotFound when there is none.
func (s *Store) Setting(ctx context.Context, name string) (value []byte, err error) {
	err = s.queryRow(ctx, []any{&value}, `SELECT value FROM settings WHERE name = $1`, name)
	return value, err
}

// PutSetting sets a value.
func (s *Store) PutSetting(ctx context.Context, name string, value []byte) error {
	_, err := s.exec(ctx, `
		INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
	return err
}

// PutSettingOnce sets a value where there is none yet, and returns the one that
// stands: of two nodes that start at once, both go on with the same.
func (s *Store) PutSettingOnce(ctx context.Context, name string, value []byte) (stored []byte, err error) {
	_, err = s.exec(ctx, `
		INSERT INTO settings (name, value) VALUES ($1, $2)
		ON CONFLICT (name) DO NOTHING`, name, value)
	if err != nil {
		return nil, err
	}
	return s.Setting(ctx, name)
}

// ReplaceSetting sets a value in the place of old; nothing happens when another
// node has replaced it meanwhile.
func (s *Store) ReplaceSetting(ctx context.Context, name string, old, value []byte) error {
	_, err := s.exec(ctx, `UPDATE settings SET value = $1 WHERE name = $2 AND value = $3`, value, name, old)
	return err
}
