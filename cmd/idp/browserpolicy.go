package main

import (
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"idp/internal/browserpolicy"
)

func (c cli) browserPolicy() *cobra.Command {
	out := ""
	cmd := &cobra.Command{
		Use: "browser-policy", Short: "Files that let browsers send tickets to this issuer", Args: cobra.NoArgs,
		Long: "Browsers send Kerberos tickets only to sites that their administrator has named. This command makes the\n" +
			"policy files that name this issuer: for Chrome, Edge and Chromium on Windows, Linux and macOS, and for Firefox.\n\n" +
			"Without --out it says what there is, and the values to type where you have such policies already;\n" +
			"with --out it writes the files. People can test their browser, and get the files, at /setup.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.LoadFor(cmd, "issuer")
			if err != nil {
				return err
			}
			files, err := browserpolicy.Files(cfg.IssuerURL())
			if err != nil {
				return err
			}
			if out != "" {
				if err := writePolicies(out, files); err != nil {
					return fmt.Errorf("--out: %w", err)
				}
			}
			describePolicies(cmd.OutOrStdout(), cfg.IssuerURL(), files, out)
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write the files into `DIR`, which is made if need be")
	return cmd
}

// writePolicies writes files that everybody may read: nothing in them is secret,
// and browsers read them as their users.
func writePolicies(dir string, files []browserpolicy.File) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // as the files
		return err
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if err := os.WriteFile(path, f.Content, 0o644); err != nil { //nolint:gosec // see above
			return err
		}
		if err := os.Chmod(path, 0o644); err != nil { //nolint:gosec // a file that was there keeps its mode, and umask takes from a new one's
			return err
		}
	}
	return nil
}

func describePolicies(w io.Writer, issuer *url.URL, files []browserpolicy.File, dir string) {
	fmt.Fprintf(w, "Policies that let browsers send tickets to %s:\n", issuer)
	fmt.Fprintf(w, "  Chrome, Edge, Chromium  AuthServerAllowlist = %s\n", browserpolicy.Host(issuer))
	fmt.Fprintf(w, "  Firefox                 network.negotiate-auth.trusted-uris = %s\n", browserpolicy.Origin(issuer))
	for _, f := range files {
		fmt.Fprintf(w, "\n%s\n  for      %s\n", filepath.Join(dir, f.Name), f.For)
		for _, p := range f.Places {
			fmt.Fprintf(w, "  goes to  %s: %s\n", p.For, p.Path)
		}
		fmt.Fprintf(w, "  check    %s\n  %s\n", f.Check, f.TriedText())
	}
	fmt.Fprintf(w, "\nBefore you roll them out:\n")
	for _, n := range browserpolicy.Notes(issuer) {
		fmt.Fprintf(w, "- %s\n", n)
	}
	if dir == "" {
		fmt.Fprint(w, "\nNothing was written: idp browser-policy --out DIR writes the files.\n")
	}
	fmt.Fprintf(w, "\nThen let people test their browser at %s/setup\n", strings.TrimSuffix(issuer.String(), "/"))
}
