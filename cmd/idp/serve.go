package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"idp/internal/server"
)

func (c cli) serve() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run the server", Args: cobra.NoArgs,
		Long: "Run the server until SIGTERM or Ctrl-C: for 3 seconds it tells load balancers that it leaves,\n" +
			"then lets requests under way finish. A second signal ends it at once.\n" +
			"SIGHUP reads the configuration again: if all of it is sound it takes effect, else nothing changes.",
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runServe(cmd.Context()) },
	}
}

func (c cli) runServe(ctx context.Context) error {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	slog.SetDefault(log)
	collectSeldom()
	hangup := make(chan os.Signal, 1) // first of all: a SIGHUP that nobody catches ends the process
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	cfg, err := c.LoadChecked()
	if err != nil {
		return err
	}
	s, err := server.Open(ctx, server.Options{Config: cfg, Log: log, Version: fullVersion()})
	if err != nil {
		return err
	}
	defer func() {
		if err := s.Close(); err != nil {
			log.Error("closing the database", "err", err)
		}
	}()
	go c.reloadOnHangup(ctx, hangup, s, log)
	return s.Serve(ctx, cfg, func(addr net.Addr) {
		log.Info("serving", "issuer", cfg.Issuer, "address", addr.String(), "config", cfg.Path)
		if cfg.Path == "" {
			fmt.Fprintf(os.Stderr, firstSteps, cfg.Issuer, addr, strings.TrimPrefix(cfg.Database, "sqlite:"), cfg.Issuer)
		}
	})
}

// collectSeldom lets garbage grow to a few times the live heap, which is a few MB:
// that costs 10 MB and saves a tenth of the CPU time. Hashing passwords needs
// 46 MB each, so there is a limit from which on it is collected sooner. GOGC and
// GOMEMLIMIT have the last word.
func collectSeldom() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(256 << 20)
	}
}

// firstSteps is for whoever starts idp with nothing at all.
const firstSteps = `
idp runs without a configuration file, at %s (listening on %s), with its data in %s.
Next, in another terminal in this folder, with the same environment:
  idp user add alice --password-file -      make a user, then log in at %s/
  idp client add wiki --redirect-uri http://localhost:3000/callback
                                            make a relying party; it prints the client secret once
Then write an idp.yaml with your issuer and Kerberos realm: see README.md. "idp check" checks it.

`

func (c cli) reloadOnHangup(ctx context.Context, hangup <-chan os.Signal, s *server.Server, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
			if err := c.reload(ctx, s); err != nil {
				log.Error("the configuration was not reloaded; the running one goes on", "err", err)
				continue
			}
			log.Info("configuration reloaded")
		}
	}
}

func (c cli) reload(ctx context.Context, s *server.Server) error {
	cfg, err := c.LoadChecked()
	if err != nil {
		return err
	}
	return s.Reload(ctx, cfg)
}
