package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/server"
)

func (c cli) mail() *cobra.Command {
	cmd := command.Group(&cobra.Command{Use: "mail", Short: "Try the mail server of the configuration"})
	cmd.AddCommand(&cobra.Command{
		Use: "test ADDRESS", Short: "Send a test mail, and say what the mail server answers", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := c.LoadFor(cmd, "smtp", "issuer", "brand")
			if err != nil {
				return err
			}
			s, err := server.Sender(cfg)
			if err != nil {
				return err
			}
			if s == nil {
				return errors.New("the configuration has no section smtp")
			}
			if err := s.Send(cmd.Context(), s.Test(args[0]))[0]; err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s has taken a mail to %s\n", cfg.SMTP.Host, command.Plain(args[0]))
			return nil
		},
	})
	return cmd
}
