package command

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

// Opened is what a command that works on the database gets.
type Opened struct {
	Ctx    context.Context
	Cmd    *cobra.Command
	Config *config.Config
	Store  *store.Store
	Ring   *secret.Ring
	Keys   func() (*keys.Keys, error)
	Actor  string // who types, for the audit log
}

// WithStore makes a command's RunE that opens the database and closes it after.
// The server may be running: both share the database.
func (l *Line) WithStore(run func(o Opened, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := l.Load()
		if err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		st, ring, err := server.OpenStore(cmd.Context(), cfg, log)
		if err != nil {
			return err
		}
		o := Opened{Ctx: cmd.Context(), Cmd: cmd, Config: cfg, Store: st, Ring: ring, Actor: actor()}
		o.Keys = func() (*keys.Keys, error) { return server.OpenKeys(o.Ctx, cfg, st, ring, log, time.Now) }
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
