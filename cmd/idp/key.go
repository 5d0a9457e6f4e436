package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"idp/internal/store"
)

func (c *cli) key() *cobra.Command {
	cmd := group(&cobra.Command{Use: "key", Short: "List and rotate the keys that sign tokens"})
	cmd.AddCommand(c.keyList(), c.keyRotate())
	return cmd
}

func (c *cli) keyList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List signing keys", Args: cobra.NoArgs,
		RunE: c.withStore(func(o opened, _ []string) error {
			list, err := o.store.SigningKeys(o.ctx)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(o.cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
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
	return time.UnixMilli(t).UTC().Format("2006-01-02 15:04:05Z")
}

func (c *cli) keyRotate() *cobra.Command {
	return &cobra.Command{
		Use: "rotate", Short: "Make new signing keys now", Args: cobra.NoArgs,
		Long: "Make a new key of each algorithm that has one. It is published within half a minute and signs as soon as every site\n" +
			"can have read it; the old keys stay published until the last token they signed has expired.",
		RunE: c.withStore(func(o opened, _ []string) error {
			k, err := o.keys()
			if err != nil {
				return err
			}
			if err := k.Rotate(o.ctx, store.Entry{Actor: o.actor}); err != nil {
				return err
			}
			fmt.Fprintln(o.cmd.OutOrStdout(), "new keys are published; idp key list shows from when they sign")
			return nil
		}),
	}
}
