// Package user is `idp user`: the commands by which an administrator makes, shows and
// changes the people who log in. What a user may be is judged in internal/user, as it
// is for everybody else.
package user

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/config"
	"idp/internal/server"
	"idp/internal/store"
	"idp/internal/user"
)

// Command is `idp user`.
func Command(l *command.Line) *cobra.Command {
	c := commands{l}
	cmd := command.Group(&cobra.Command{Use: "user", Short: "Make, list and change users"})
	cmd.AddCommand(c.add(), c.list(), c.show(), c.set(), c.passwd(),
		c.change("disable NAME", "End a user's sessions and refuse new ones", func(o opened, u *store.User) (string, error) {
			return u.Name + " is disabled, and the sessions have ended", o.Store.SetDisabled(o.Ctx, u.ID, true, o.entry(u))
		}),
		c.change("enable NAME", "Let a disabled user log in again", func(o opened, u *store.User) (string, error) {
			return u.Name + " can log in again", o.Store.SetDisabled(o.Ctx, u.ID, false, o.entry(u))
		}),
		c.unlock(), c.admin(), c.sessions(), c.link(), c.unlink(), c.resetFactor(), c.invite(), c.reset(), c.importFile())
	return cmd
}

// commands are those below it.
type commands struct{ *command.Line }

// opened is what one of them gets.
type opened struct{ command.Opened }

func (c commands) withStore(run func(o opened, args []string) error) func(*cobra.Command, []string) error {
	return c.WithStore(func(o command.Opened, args []string) error { return run(opened{o}, args) })
}

func (o opened) entry(u *store.User) store.Entry {
	return store.Entry{Actor: o.Actor, UserID: u.ID, Name: u.Name}
}

func (c commands) add() *cobra.Command {
	var u store.User
	var passwordFile string
	var claims []string
	cmd := &cobra.Command{
		Use: "add NAME --password-file FILE|-", Short: "Make a local user", Args: cobra.ExactArgs(1),
		Long: "Make a user who logs in with a name and a password that idp checks itself.\n" +
			"Employees with Kerberos need none of this: they are made at their first login. With idp user invite people\n" +
			"choose their password themselves, and nobody else sees it.",
		RunE: c.withStore(func(o opened, args []string) error {
			u.Name = args[0]
			if o.Cmd.Flags().Changed("email") && !strings.Contains(u.Email, "@") {
				return notAnAddress(u.Email)
			}
			if err := o.ownName(u.Name); err != nil {
				return err
			}
			if err := setClaims(&u.Claims, claims, false); err != nil {
				return err
			}
			password, err := o.newPassword(passwordFile, &u)
			if err != nil {
				return err
			}
			err = server.AddUser(o.Ctx, o.Store, u, password, o.Actor)
			if errors.Is(err, store.ErrConflict) {
				return fmt.Errorf("the name %q is taken (names are never used again, not even after a user was disabled)", u.Name)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(o.Cmd.OutOrStdout(), "user %s made\n", u.Name)
			return nil
		}),
	}
	f := cmd.Flags()
	f.StringVar(&passwordFile, "password-file", "", "`FILE` with the password on its first line, - for standard input (a terminal asks twice and does not show it)")
	f.StringVar(&u.Email, "email", "", "mail address")
	f.StringVar(&u.FullName, "name", "", "full name")
	f.StringArrayVar(&u.Groups, "group", nil, "group; may be repeated")
	f.StringArrayVar(&claims, "claim", nil, "what else sites may learn, `NAME=VALUE`: given_name=Bob, address.country=FR … (OpenID Connect Core §5.1); may be repeated")
	f.BoolVar(&u.Admin, "admin", false, "will administer idp, once it has admin pages; nothing reads it yet")
	_ = cmd.MarkFlagRequired("password-file")
	return cmd
}

// setClaims does what --claim says, and checks it as the file's claims are; change:
// an empty value takes one away.
func setClaims(c *store.UserClaims, pairs []string, change bool) error {
	err := config.SetClaims(c, pairs, change)
	if err == nil {
		err = user.CheckClaims(*c)
	}
	if err != nil {
		return fmt.Errorf("--claim: %w", err)
	}
	return nil
}

func notAnAddress(email string) error { return fmt.Errorf("--email %q is not a mail address", email) }

// ownName refuses a local name that is another's: alice@REALM of a trusted realm,
// or a spelling of a name that is there.
func (o opened) ownName(name string) error {
	for _, r := range o.Config.Kerberos.Realms {
		if i := strings.LastIndexByte(name, '@'); i >= 0 && strings.EqualFold(name[i+1:], r.Name) {
			return fmt.Errorf("%q is the name of somebody in the realm %s", name, r.Name)
		}
	}
	folded := strings.ToLower(name)
	if folded == name {
		return nil
	}
	_, err := o.Store.UserByName(o.Ctx, folded)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("there is a user %q already; %q beside it would only confuse", folded, name)
	}
	return err
}

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

// byName finds the user a command names.
func (o opened) byName(name string) (*store.User, error) {
	u, err := o.Store.UserByName(o.Ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("no user %q; idp user list shows all", name)
	}
	return u, err
}

func (c commands) passwd() *cobra.Command {
	var passwordFile string
	cmd := &cobra.Command{
		Use: "passwd NAME --password-file FILE|-", Short: "Set a local user's password", Args: cobra.ExactArgs(1),
		RunE: c.withStore(func(o opened, args []string) error {
			u, err := o.byName(args[0])
			if err != nil {
				return err
			}
			if u.PasswordHash == "" {
				return fmt.Errorf("%s logs in by Kerberos; the password is the KDC's", u.Name)
			}
			password, err := o.newPassword(passwordFile, u)
			if err != nil {
				return err
			}
			if err := server.SetPassword(o.Ctx, o.Store, u, password, o.Actor); err != nil {
				return err
			}
			fmt.Fprintf(o.Cmd.OutOrStdout(), "%s has a new password, and the sessions have ended\n", u.Name)
			return nil
		}),
	}
	cmd.Flags().StringVar(&passwordFile, "password-file", "", "`FILE` with the password on its first line, - for standard input (a terminal asks twice and does not show it)")
	_ = cmd.MarkFlagRequired("password-file")
	return cmd
}

// change is a command that changes one user and says what it has done.
func (c commands) change(use, short string, change func(opened, *store.User) (done string, err error)) *cobra.Command {
	return &cobra.Command{
		Use: use, Short: short, Args: cobra.ExactArgs(1),
		RunE: c.withStore(func(o opened, args []string) error {
			u, err := o.byName(args[0])
			if err != nil {
				return err
			}
			done, err := change(o, u)
			if err == nil {
				fmt.Fprintln(o.Cmd.OutOrStdout(), done)
			}
			return err
		}),
	}
}

func (c commands) admin() *cobra.Command {
	remove := false
	cmd := c.change("admin NAME", "Make a user an administrator (once idp has admin pages), or with --remove an ordinary user", func(o opened, u *store.User) (string, error) {
		done := u.Name + " is an administrator"
		if remove {
			done = u.Name + " is an ordinary user"
		}
		return done, o.Store.SetAdmin(o.Ctx, u.ID, !remove, o.entry(u))
	})
	cmd.Flags().BoolVar(&remove, "remove", false, "take the right away")
	return cmd
}
