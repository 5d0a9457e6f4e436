package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/config"
	"idp/internal/doctor"
	"idp/internal/doctor/report"
	"idp/internal/server"
)

// Exit statuses of doctor.
const (
	exitFailed = 1 // a check failed
	exitUsage  = 2 // there was nothing to check: wrong usage, or no configuration that can be read
)

func (c cli) doctor() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "doctor", Short: "Look at the whole installation and say what is wrong, and what mends it",
		Long: "Look at configuration, files, DNS, network, KDCs, certificate, database and keys, with or without a running server,\n" +
			"and print a line for each that begins with ok, warning or failed; what mends it is below. Nothing is changed.\n" +
			"Run it as the user that idp runs as. The exit status is 0 when nothing failed, 1 when something did, 2 when the\n" +
			"configuration cannot be read. docs/doctor.md explains the lines.",
		Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.NoArgs(cmd, args)) },
		RunE: func(cmd *cobra.Command, _ []string) error { return c.runDoctor(cmd, asJSON) },
	}
	cmd.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage(err) })
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

func usage(err error) error {
	if err == nil {
		return nil
	}
	return &exit{exitUsage, err}
}

func (c cli) runDoctor(cmd *cobra.Command, asJSON bool) error {
	cfg, err := c.Load()
	var problems config.Problems
	if err != nil && !errors.As(err, &problems) {
		return usage(err)
	}
	write := report.Print
	if asJSON {
		write = report.PrintJSON
	}
	if cfg == nil || !command.Legible(problems) {
		return &exit{exitUsage, write(cmd.OutOrStdout(), doctor.Unreadable(server.DoctorProblems(problems)))}
	}
	problems = problems.With(server.Check(cfg))
	lines := doctor.Run(cmd.Context(), server.Doctor(cfg, problems, versionText()))
	if err := write(cmd.OutOrStdout(), lines); err != nil {
		return err
	}
	if report.Worst(lines) == report.LevelFailed {
		return &exit{exitFailed, nil}
	}
	return nil
}

// exit ends the program with a status of its own; a nil error says no more.
type exit struct {
	status int
	err    error
}

func (e *exit) Error() string { return fmt.Sprint(e.err) }
func (e *exit) Unwrap() error { return e.err }
