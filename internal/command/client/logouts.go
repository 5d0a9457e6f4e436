package client

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/store"
)

func (c commands) logouts() *cobra.Command {
	return &cobra.Command{
		Use: "logouts CLIENT_ID", Short: "List whether a relying party was told of ended sessions, and why not", Args: cobra.ExactArgs(1),
		Long: "List the sessions that ended in the last seven days and whether the relying party was told by its\n" +
			"backchannel_logout_uri: the newest 100, those that wait for another attempt included.",
		RunE: c.withStore(func(o opened, args []string) error {
			cl, err := o.clientByID(args[0])
			if err != nil {
				return err
			}
			if cl.BackchannelLogoutURI == "" {
				return fmt.Errorf("%s has no backchannel_logout_uri: it is not told", cl.ClientID)
			}
			list, err := o.Store.LogoutDeliveries(o.Ctx, cl.ClientID, 0)
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(o.Cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "SESSION ENDED\tUSER\tSESSION\tATTEMPTS\tRESULT\tREASON")
			for _, d := range list {
				fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\n", command.Moment(d.CreatedAt), o.nameOf(d.UserID), d.SessionID, d.Attempts, result(d), command.Plain(d.Reason))
			}
			return w.Flush()
		}),
	}
}

// result is what came of a delivery, or when it is tried next.
func result(d store.LogoutDelivery) string {
	switch {
	case d.DoneAt != 0 && d.Result == store.LogoutGivenUp:
		return "given up " + command.Moment(d.DoneAt)
	case d.DoneAt != 0:
		return d.Result + " " + command.Moment(d.DoneAt)
	case d.Attempts == 0:
		return "waiting"
	}
	return "next try " + command.Moment(d.NextAt)
}

// nameOf is the name of a user, or the id of one that cannot be found.
func (o opened) nameOf(userID string) string {
	if u, err := o.Store.UserByID(o.Ctx, userID); err == nil {
		return u.Name
	}
	return userID
}
