package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/store"
)

func (c cli) key() *cobra.Command {
	cmd := command.Group(&cobra.Command{Use: "key", Short: "List and rotate the keys that sign tokens"})
	cmd.AddCommand(c.keyList(), c.keyRotate())
	return cmd
}

func (c cli) keyList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List signing keys", Args: cobra.NoArgs,
		RunE: c.WithStore(func(o command.Opened, _ []string) error {
			list, err := o.Store.SigningKeys(o.Ctx)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(o.Cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "KEY ID\tALGORITHM\tPUBLISHED\tSIGNS FROM\tSIGNS UNTIL\tPUBLISHED UNTIL")
			for _, k := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", k.Kid, k.Algorithm, when(k.CreatedAt), when(k.ActiveAt), when(k.RetiredAt), when(k.ExpiresAt))
			}
			return w.Flush()
		}),
	}
}

func when(t store.Millis) string {
	if t == 0 {
		return "-"
	}
	return command.Moment(t)
}

func (c cli) keyRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate", Short: "Make new signing keys now", Args: cobra.NoArgs,
		Long: "Make a new key of each algorithm that has one. It is published within half a minute and signs as soon as every site\n" +
			"can have read it; the old keys stay published until the last token they signed has expired.",
		RunE: c.WithStore(func(o command.Opened, _ []string) error {
			k, err := o.Keys()
			if err != nil {
				return err
			}
			if err := k.Rotate(o.Ctx, store.Entry{Actor: o.Actor}); err != nil {
				return err
			}
			fmt.Fprintln(o.Cmd.OutOrStdout(), "new keys are published; idp key list shows from when they sign")
			return nil
		}),
	}
}
