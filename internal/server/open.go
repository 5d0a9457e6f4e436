package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"idp/internal/config"
	"idp/internal/secret"
	"idp/internal/store"
)

// keyCheck is the setting that shows whether a key ring fits a database.
const (
	keyCheck     = "secret_key_check"
	keyCheckText = "idp" // what is sealed in it
)

// OpenStore opens the database and the key ring that fits it. The key file is
// made only with an empty database: a new key beside an old database would make
// its signing keys and cookies unreadable, so a missing or foreign one refuses.
func OpenStore(ctx context.Context, c *config.Config, log *slog.Logger) (*store.Store, *secret.Ring, error) {
	st, err := store.Open(ctx, store.Config{URL: c.Database, Log: log, Mail: c.SMTP.On()})
	if err != nil {
		return nil, nil, err
	}
	ring, err := openRing(ctx, st, c.SecretKeyFile)
	if err != nil {
		return nil, nil, errors.Join(err, st.Close())
	}
	return st, ring, nil
}

func openRing(ctx context.Context, st *store.Store, path string) (*secret.Ring, error) {
	ring, err := secret.ReadRing(path)
	if errors.Is(err, fs.ErrNotExist) {
		ring, err = makeRing(ctx, st, path)
	}
	if err != nil {
		return nil, err
	}
	if err := private(path); err != nil {
		return nil, err
	}
	kept, err := st.PutSettingOnce(ctx, keyCheck, ring.Seal(keyCheck, "", []byte(keyCheckText)))
	if err != nil {
		return nil, err
	}
	return ring, fits(ring, kept, path)
}

// ReadRing is what opening does with the key file, without making or writing
// anything. Both are there, and the file fits the database, or it is an error;
// fs.ErrNotExist where there is no file and the first start will make it.
func ReadRing(ctx context.Context, st *store.Store, path string) (*secret.Ring, error) {
	kept, keptErr := st.Setting(ctx, keyCheck)
	ring, err := secret.ReadRing(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && keptErr == nil:
		return nil, errKeyFileLost(path)
	case err != nil:
		return nil, err
	}
	if err := private(path); err != nil {
		return nil, err
	}
	if errors.Is(keptErr, store.ErrNotFound) {
		return ring, nil // the first start takes it
	}
	if keptErr != nil {
		return nil, keptErr
	}
	return ring, fits(ring, kept, path)
}

func private(path string) error {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("secret_key_file %s can be read by everybody on this host: chmod 600 it", path)
	}
	return nil
}

// fits reports whether the ring opens what a ring that fitted has sealed.
func fits(ring *secret.Ring, kept []byte, path string) error {
	if _, err := ring.Open(keyCheck, "", kept); err != nil {
		return fmt.Errorf("secret_key_file %s does not fit this database: use the file it was made with (add its lines below the new one)", path)
	}
	return nil
}

func errKeyFileLost(path string) error {
	return fmt.Errorf("secret_key_file %s is missing, and the database is not empty: restore the file that belongs to it", path)
}

// resealCheck seals the check with the ring's first key when a later one had
// sealed it. It comes after the signing keys and the factors, which their packages seal
// anew: a check that only the first key opens says that nothing needs the others.
func resealCheck(ctx context.Context, st *store.Store, ring *secret.Ring) error {
	kept, err := st.Setting(ctx, keyCheck)
	if err != nil || ring.Fresh(keyCheck, "", kept) {
		return err
	}
	return st.ReplaceSetting(ctx, keyCheck, kept, ring.Seal(keyCheck, "", []byte(keyCheckText)))
}

func makeRing(ctx context.Context, st *store.Store, path string) (*secret.Ring, error) {
	empty, err := st.Empty(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := st.Setting(ctx, keyCheck); err == nil || !empty {
		return nil, errKeyFileLost(path)
	}
	ring := secret.NewRing()
	if err := ring.WriteNew(path); err != nil {
		return nil, err
	}
	return ring, nil
}
