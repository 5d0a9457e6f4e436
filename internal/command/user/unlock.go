package user

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"idp/internal/authn"
	"idp/internal/store"
)

func (c commands) unlock() *cobra.Command {
	return &cobra.Command{
		Use: "unlock NAME", Short: "Forget the wrong passwords of a user, under all of their names", Args: cobra.ExactArgs(1),
		Long: "Forget the wrong passwords of a user, under all of their names. Who has never logged in has no user yet: name them\n" +
			"as they type their name. A directory that has locked the account itself is another matter.",
		RunE: c.withStore(func(o opened, args []string) error {
			entry := store.Entry{Actor: o.Actor, Name: args[0]}
			names := args
			u, err := o.byName(args[0])
			if err == nil {
				entry = o.entry(u)
				if names, err = o.namesOf(u); err != nil {
					return err
				}
			}
			g, err := authn.GuessesAt(o.Ctx, o.Store, o.Config.Kerberos, names...)
			if err != nil {
				return err
			}
			if len(g.Names) == 0 {
				return fmt.Errorf("no wrong passwords of %s are remembered", args[0])
			}
			if err := o.Store.Unlock(o.Ctx, g.Names, entry); err != nil {
				return err
			}
			fmt.Fprintf(o.Cmd.OutOrStdout(), "%s can log in again: %d wrong passwords are forgotten\n", args[0], g.Wrong)
			return nil
		}),
	}
}

// namesOf are the names that a user is known by here, to the letter or as the realm's
// rule has it.
func (o opened) namesOf(u *store.User) ([]string, error) {
	names := []string{u.Name}
	ids, err := o.Store.IdentitiesOf(o.Ctx, u.ID)
	for _, id := range ids {
		realm, kerberos := strings.CutPrefix(id.Source, "kerberos:")
		if name, ok := strings.CutPrefix(id.Key, "name:"); ok && kerberos {
			names = append(names, name+"@"+realm)
		}
	}
	return names, err
}

// showGuesses adds to a user how many wrong passwords count, and until when none is
// checked.
func (o opened) showGuesses(shown *shownUser, u *store.User) error {
	names, err := o.namesOf(u)
	if err != nil {
		return err
	}
	g, err := authn.GuessesAt(o.Ctx, o.Store, o.Config.Kerberos, names...)
	shown.WrongPasswords = g.Wrong
	if g.Locked != 0 {
		shown.LockedUntil = time.UnixMilli(g.Locked).UTC().Format(time.RFC3339)
	}
	return err
}
