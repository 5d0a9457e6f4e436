package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"idp/internal/config"
	"idp/internal/kerberos"
	"idp/internal/oidc"
)

func (c *cli) check() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "check", Short: "Check the configuration and print every problem at once", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.load()
			var problems config.Problems
			if err != nil && !errors.As(err, &problems) {
				return err
			}
			var warnings []string
			if err == nil {
				problems, warnings = clientProblems(cfg), keytabWarnings(cfg)
			}
			if asJSON {
				if err := printCheck(cmd, problems, warnings); err != nil {
					return err
				}
			}
			if len(problems) > 0 {
				return problems
			}
			if !asJSON {
				for _, w := range warnings {
					fmt.Fprintln(cmd.OutOrStdout(), "warning:", w)
				}
				fmt.Fprintln(cmd.OutOrStdout(), "ok: the configuration is sound")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

// clientProblems are the rules of relying parties that package oidc knows.
func clientProblems(cfg *config.Config) config.Problems {
	var out config.Problems
	for i := range cfg.Clients {
		for _, err := range oidc.CheckClient(&cfg.Clients[i]) {
			out = append(out, config.Problem{File: cfg.Path, Line: cfg.LineOf(fmt.Sprintf("$.clients[%d].client_id", i)),
				Key: "clients: " + cfg.Clients[i].ClientID, Text: err.Error()})
		}
	}
	return out
}

// keytabWarnings: a keytab that cannot be used does not stop the server.
func keytabWarnings(cfg *config.Config) []string {
	if !cfg.HasKerberos {
		return nil
	}
	if err := kerberos.Check(cfg.Kerberos); err != nil {
		return []string{"no login by ticket: " + err.Error()}
	}
	return nil
}

func printCheck(cmd *cobra.Command, problems config.Problems, warnings []string) error {
	type line struct {
		Level string `json:"level"` // failed or warning
		File  string `json:"file,omitempty"`
		Line  int    `json:"line,omitempty"`
		Key   string `json:"key,omitempty"`
		Text  string `json:"text"`
		Hint  string `json:"hint,omitempty"`
	}
	lines := []line{}
	for _, p := range problems {
		lines = append(lines, line{"failed", p.File, p.Line, p.Key, p.Text, p.Hint})
	}
	for _, w := range warnings {
		lines = append(lines, line{Level: "warning", Text: w})
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(map[string]any{"ok": len(problems) == 0, "lines": lines})
}
