package user

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/store"
)

func (c commands) list() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List users", Args: cobra.NoArgs,
		Long: "List users, what each may log in by, and their STATUS: disabled, admin, and what came of an invitation (idp user\n" +
			"invite): \"invited until\" its link ends, \"invitation expired\" where nobody used it and nothing else logs in as\n" +
			"this user, or when it was used, for a week after the link's end.",
		RunE: c.withStore(func(o opened, _ []string) error {
			w := tabwriter.NewWriter(o.Cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tFULL NAME\tEMAIL\tGROUPS\tLOGS IN BY\tSTATUS")
			for after := ""; ; {
				users, err := o.Store.Users(o.Ctx, after, 500)
				if err != nil {
					return err
				}
				if len(users) == 0 {
					return w.Flush()
				}
				linked, err := o.linkedUsers(after, users[len(users)-1].Name)
				if err != nil {
					return err
				}
				invited, err := o.invitedUsers(after, users[len(users)-1].Name)
				if err != nil {
					return err
				}
				for _, u := range users {
					by := logsInBy(u, linked[u.ID])
					fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", u.Name, command.Plain(u.FullName), command.Plain(u.Email), command.Plain(strings.Join(u.Groups, ",")), by,
						status(u, invitation(invited[u.ID], o.Store.Now(), by == nothing)))
					after = u.Name
				}
				if len(users) < 500 {
					return w.Flush()
				}
			}
		}),
	}
}

// ways are what somebody may log in by, beside a local password.
type ways struct{ kerberos, upstream bool }

// linkedUsers are the ways of the users, by their ids, of the names behind one and up
// to another.
func (o opened) linkedUsers(after, last string) (map[string]ways, error) {
	ids, err := o.Store.IdentitiesBetween(o.Ctx, after, last)
	linked := map[string]ways{}
	for _, id := range ids {
		w := linked[id.UserID]
		if strings.HasPrefix(id.Source, store.SourceUpstream) {
			w.upstream = true
		} else {
			w.kerberos = true
		}
		linked[id.UserID] = w
	}
	for _, name := range o.Config.Kerberos.Services {
		if u, err := o.Store.UserByName(o.Ctx, name); err == nil {
			linked[u.ID] = ways{kerberos: true, upstream: linked[u.ID].upstream}
		}
	}
	return linked, err
}

// nothing is what nobody can log in by.
const nothing = "nothing"

func logsInBy(u store.User, linked ways) string {
	var words []string
	for _, way := range []struct {
		has  bool
		word string
	}{{u.PasswordHash != "", "password"}, {linked.kerberos, "kerberos"}, {linked.upstream, "upstream"}} {
		if way.has {
			words = append(words, way.word)
		}
	}
	if len(words) == 0 {
		return nothing
	}
	return strings.Join(words, ", ")
}

func status(u store.User, invitation string) string {
	var words []string
	if u.Disabled {
		words = append(words, "disabled")
	}
	if u.Admin {
		words = append(words, "admin")
	}
	if invitation != "" {
		words = append(words, invitation)
	}
	return strings.Join(words, ",")
}

// invitedUsers are the last invitations of the users, by their ids, of the names behind
// one and up to another.
func (o opened) invitedUsers(after, last string) (map[string]*store.Link, error) {
	links, err := o.Store.InvitationsBetween(o.Ctx, after, last)
	invited := map[string]*store.Link{}
	for i := range links {
		invited[links[i].UserID] = &links[i]
	}
	return invited, err
}

// invitation says what came of one; of one that is over only to whom it matters: out,
// who cannot log in by anything else.
func invitation(l *store.Link, now store.Millis, out bool) string {
	switch {
	case l == nil:
		return ""
	case l.UsedAt != 0:
		return "invitation used " + command.Moment(l.UsedAt)
	case l.ExpiresAt > now:
		return "invited until " + command.Moment(l.ExpiresAt)
	case out:
		return "invitation expired"
	}
	return ""
}
