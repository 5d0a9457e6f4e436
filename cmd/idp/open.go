package main

import (
	"context"
	"log/slog"
	"os"
	"os/user"
	"time"

	"github.com/spf13/cobra"

	"idp/internal/audit"
	"idp/internal/config"
	"idp/internal/keys"
	"idp/internal/secret"
	"idp/internal/server"
	"idp/internal/store"
)

// opened is what a command that works on the database gets.
type opened struct {
	ctx   context.Context
	cmd   *cobra.Command
	cfg   *config.Config
	store *store.Store
	ring  *secret.Ring
	keys  func() (*keys.Keys, error)
	actor string // who types, for the audit log
}

// withStore makes a command's RunE that opens the database and closes it after.
// The server may be running: both share the database.
func (c *cli) withStore(run func(o opened, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := c.load()
		if err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		st, ring, err := server.OpenStore(cmd.Context(), cfg, log)
		if err != nil {
			return err
		}
		o := opened{ctx: cmd.Context(), cmd: cmd, cfg: cfg, store: st, ring: ring, actor: actor()}
		o.keys = func() (*keys.Keys, error) { return server.OpenKeys(o.ctx, cfg, st, ring, log, time.Now) }
		err = run(o, args)
		if closeErr := st.Close(); err == nil {
			err = closeErr
		}
		return err
	}
}

func actor() string {
	name := "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	return audit.ActorCLI + name
}
