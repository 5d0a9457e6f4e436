package client

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/oidc/clients"
	"idp/internal/store"
)

func (c commands) list() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List relying parties", Args: cobra.NoArgs,
		RunE: c.withStore(func(o opened, _ []string) error {
			all, err := o.allClients()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(o.Cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "CLIENT ID\tNAME\tOWNED BY\tTRUSTED\tMETHOD\tREDIRECT URIS")
			for i := range all {
				cl := &all[i]
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", cl.ClientID, command.Plain(cl.ClientName), owner(*cl), yesNo(clients.Trusted(cl)), clients.AuthMethod(cl), strings.Join(cl.RedirectURIs, " "))
			}
			return w.Flush()
		}),
	}
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

func owner(cl store.Client) string {
	switch {
	case cl.FromFile:
		return "file"
	case cl.Registered:
		return "database, registered itself"
	}
	return "database"
}

func (c commands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show CLIENT_ID", Short: "Print a relying party as JSON, with the names of RFC 7591, defaults included and without its secret", Args: cobra.ExactArgs(1),
		RunE: c.withStore(func(o opened, args []string) error {
			cl, err := o.clientByID(args[0])
			if err != nil {
				return err
			}
			enc := json.NewEncoder(o.Cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			enc.SetEscapeHTML(false)
			return enc.Encode(clients.MetadataOf(*cl))
		}),
	}
}
