package user

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"idp/internal/config"
	"idp/internal/server"
	"idp/internal/store"
	"idp/internal/user"
)

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
	holder, err := o.Store.NameHolder(o.Ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err == nil && holder != name:
		return fmt.Errorf("there is a user %q already; %q beside it would only confuse", holder, name)
	}
	return err // of a name that is taken to the letter, whoever writes it tells
}
