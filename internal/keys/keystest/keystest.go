// Package keystest has signing keys for tests.
package keystest

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"idp/internal/keys"
	"idp/internal/secret"
	"idp/internal/store"
)

// Start is when the keys were made, in milliseconds: tests begin their clock here.
const Start = 1_800_000_000_000

// Signing are a ring and the signing keys under it, made once: an RSA key takes a
// good part of a second.
var Signing = sync.OnceValues(func() (*secret.Ring, []store.SigningKey) {
	dir, err := os.MkdirTemp("", "idp-keys-")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	ctx, ring := context.Background(), secret.NewRing()
	now := func() time.Time { return time.UnixMilli(Start) }
	st, err := store.Open(ctx, store.Config{URL: "sqlite:" + filepath.Join(dir, "idp.db"), Now: now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		panic(err)
	}
	defer func() { _ = st.Close() }()
	k, err := keys.New(ctx, keys.Config{Store: st, Ring: ring, Now: now})
	if err != nil {
		panic(err)
	}
	rows, err := k.List(ctx)
	if err != nil {
		panic(err)
	}
	return ring, rows
})
