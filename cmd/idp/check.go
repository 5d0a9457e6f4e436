package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"idp/internal/config"
	"idp/internal/kerberos"
	"idp/internal/server"
)

func (c cli) check() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "check", Short: "Check the configuration and print every problem at once", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.LoadChecked()
			var problems config.Problems
			if err != nil && !errors.As(err, &problems) {
				return err
			}
			var warnings []string
			if err == nil {
				warnings = checkWarnings(cfg)
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
				fmt.Fprintln(cmd.OutOrStdout(), "ok:", sound(cfg))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

// checkWarnings are what does not stop the server: a keytab that cannot be used, a
// client secret that can be guessed.
func checkWarnings(cfg *config.Config) (warnings []string) {
	if cfg.HasKerberos {
		if err := kerberos.Check(cfg.Kerberos); err != nil {
			warnings = append(warnings, "no login by ticket: "+err.Error())
		}
	}
	for _, w := range server.Warnings(cfg) {
		warnings = append(warnings, w.Error())
	}
	return warnings
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

// sound says which configuration it was that is.
func sound(cfg *config.Config) string {
	if cfg.Path == "" {
		return "no idp.yaml here or in /etc/idp; the defaults, for trying out, are sound"
	}
	return cfg.Path + " is sound"
}
