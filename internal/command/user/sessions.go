package user

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/store"
	"idp/internal/useragent"
)

func (c commands) sessions() *cobra.Command {
	var end string
	var endAll bool
	cmd := &cobra.Command{
		Use: "sessions NAME", Short: "List where a user is logged in, and end one or all of it", Args: cobra.ExactArgs(1),
		Long: "List the sessions of a user, and the devices and sites that stay logged in by themselves. What is ended is over on\n" +
			"all nodes at once, access tokens within a second; relying parties with a backchannel_logout_uri are told.",
		Example: "  idp user sessions bob\n" +
			"  idp user sessions bob --end 98MVF-5FxlOO8hoUd7udhw\n" +
			"  idp user sessions bob --end-all                       a lost device, a stolen password",
		RunE: c.withStore(func(o opened, args []string) error {
			u, err := o.byName(args[0])
			if err != nil {
				return err
			}
			switch {
			case endAll:
				return o.endAll(u)
			case o.Cmd.Flags().Changed("end"):
				return o.endOne(u, end)
			}
			return o.listSessions(u)
		}),
	}
	cmd.Flags().StringVar(&end, "end", "", "end the session or the device with this `ID`")
	cmd.Flags().BoolVar(&endAll, "end-all", false, "end all of them")
	cmd.MarkFlagsMutuallyExclusive("end", "end-all")
	return cmd
}

func (o opened) endAll(u *store.User) error {
	ended, err := o.Store.EndLogins(o.Ctx, u.ID, "", o.entry(u))
	if err == nil {
		fmt.Fprintf(o.Cmd.OutOrStdout(), "%s is signed out everywhere: sessions %d, devices and sites that stay logged in %d\n", u.Name, ended.Sessions, ended.Grants)
	}
	return err
}

func (o opened) endOne(u *store.User, id string) error {
	session, err := o.Store.EndSessionOf(o.Ctx, u.ID, id, o.entry(u))
	if err != nil {
		return err
	}
	grant := false
	if !session {
		if grant, err = o.Store.EndGrantOf(o.Ctx, u.ID, id, o.entry(u)); err != nil {
			return err
		}
	}
	if !session && !grant {
		return fmt.Errorf("%s has no %q (any more); idp user sessions %s lists all", u.Name, id, u.Name)
	}
	fmt.Fprintf(o.Cmd.OutOrStdout(), "%s is signed out there\n", u.Name)
	return nil
}

func (o opened) listSessions(u *store.User) error {
	sessions, err := o.Store.SessionsOf(o.Ctx, u.ID)
	visits, err2 := o.Store.VisitsOf(o.Ctx, u.ID)
	held, err3 := o.Store.HeldGrants(o.Ctx, u.ID)
	if err := errors.Join(err, err2, err3); err != nil {
		return err
	}
	if len(sessions)+len(held) == 0 {
		fmt.Fprintf(o.Cmd.OutOrStdout(), "%s is not logged in\n", u.Name)
		return nil
	}
	visited := map[string][]string{}
	for _, v := range visits {
		visited[v.SessionID] = append(visited[v.SessionID], v.ClientID)
	}
	w := tabwriter.NewWriter(o.Cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "ID\tWHAT\tADDRESS\tHOW\tSINCE\tLAST SEEN\tSITES")
	for i := range sessions {
		s := &sessions[i]
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.ID, useragent.Parse(s.UserAgent), cmp.Or(command.Plain(s.Address), "-"), strings.Join(s.AMR, "+"),
			command.Moment(s.CreatedAt), command.Moment(s.SeenAt), cmp.Or(strings.Join(visited[s.ID], ","), "-"))
	}
	for _, g := range held {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", g.ID, heldAs(g), cmp.Or(command.Plain(g.Address), "-"), strings.Join(g.AMR, "+"), command.Moment(g.CreatedAt), command.Moment(g.UsedAt), g.ClientID)
	}
	return w.Flush()
}

// heldAs says what kind of grant it is.
func heldAs(g store.HeldGrant) string {
	switch {
	case g.Device && g.Offline:
		return "a device, stays logged in"
	case g.Device:
		return "a device, ends with the session"
	}
	return "a site, stays logged in"
}
