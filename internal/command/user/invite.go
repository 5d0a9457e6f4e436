package user

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/server"
	"idp/internal/store"
	"idp/internal/user"
)

func (c commands) invite() *cobra.Command {
	var u store.User
	hand := false
	cmd := &cobra.Command{
		Use: "invite NAME", Short: "Make a local user who chooses the password themselves, by a link", Args: cobra.ExactArgs(1),
		Long: "Make a user without a password, and a link by which they choose one. It is mailed where the configuration has\n" +
			"a mail server (smtp) and the user an address, else printed, for you to hand on. It is good once, for a day\n" +
			"(lifetimes.invitation), in the first browser that goes on from it. For a user who is there and has no\n" +
			"password yet it makes another link, and the one before ends.",
		Example: "  idp user invite bob --email bob@example.com --name \"Bob Builder\" --group partners",
		RunE: c.withStore(func(o opened, args []string) error {
			u.Name = args[0]
			if u.Email != "" && !strings.Contains(u.Email, "@") {
				return notAnAddress(u.Email)
			}
			invited, err := o.invited(u)
			if err != nil {
				return err
			}
			return o.handLink(invited, store.LinkInvitation, hand)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&u.Email, "email", "", "mail address")
	f.StringVar(&u.FullName, "name", "", "full name")
	f.StringArrayVar(&u.Groups, "group", nil, "group; may be repeated")
	f.BoolVar(&hand, "print", false, "print the link although it could be mailed")
	return cmd
}

// invited makes the user, or finds one who was invited before.
func (o opened) invited(u store.User) (*store.User, error) {
	there, err := o.Store.UserByName(o.Ctx, u.Name)
	if err == nil {
		for _, flag := range []string{"email", "name", "group"} {
			if o.Cmd.Flags().Changed(flag) {
				return nil, fmt.Errorf("there is a user %q already; idp user set changes address, name and groups", u.Name)
			}
		}
		if there.PasswordHash != "" {
			return nil, fmt.Errorf("%s has a password already; idp user reset makes a link for a new one", u.Name)
		}
		return there, o.noKerberos(there)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err := user.CheckName(u.Name); err != nil {
		return nil, err
	}
	if err := o.ownName(u.Name); err != nil {
		return nil, err
	}
	made, err := o.Store.CreateUser(o.Ctx, u, nil, store.Entry{Actor: o.Actor, Name: u.Name})
	return &made, err
}

// noKerberos refuses a password of idp's own for somebody who has the directory's: it
// would count in its place.
func (o opened) noKerberos(u *store.User) error {
	identities, err := o.Store.IdentitiesOf(o.Ctx, u.ID)
	if err != nil {
		return err
	}
	for _, id := range identities {
		if strings.HasPrefix(id.Source, "kerberos:") && u.PasswordHash == "" {
			return fmt.Errorf("%s logs in by Kerberos; the password is the KDC's", u.Name)
		}
	}
	return nil
}

func (c commands) reset() *cobra.Command {
	hand := false
	cmd := &cobra.Command{
		Use: "reset NAME", Short: "Make a link by which a local user chooses a new password", Args: cobra.ExactArgs(1),
		Long: "Make a link for a new password: mailed where the configuration has a mail server (smtp) and the user an\n" +
			"address, else printed, for you to hand on. It is good once, for an hour (lifetimes.reset), in the first browser\n" +
			"that goes on from it. Until then the old password stays; the new one ends all sessions. Second factors stay.\n" +
			"Make sure that it is really them who ask.",
		RunE: c.withStore(func(o opened, args []string) error {
			u, err := o.byName(args[0])
			if err != nil {
				return err
			}
			if err := o.noKerberos(u); err != nil {
				return err
			}
			if u.PasswordHash == "" {
				return fmt.Errorf("%s has no password yet; idp user invite makes another link for the first one", u.Name)
			}
			return o.handLink(u, store.LinkReset, hand)
		}),
	}
	cmd.Flags().BoolVar(&hand, "print", false, "print the link although it could be mailed")
	return cmd
}

// handLink makes a link, and prints it or where it goes.
func (o opened) handLink(u *store.User, purpose string, hand bool) error {
	made, err := server.MakeLink(o.Ctx, o.Store, o.Ring, o.Config, u, purpose, hand, o.Actor)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%s is disabled; idp user enable undoes that", u.Name)
	}
	if err != nil {
		return err
	}
	out, until := o.Cmd.OutOrStdout(), made.Until.Format(time.RFC1123)
	if made.Mailed != "" {
		fmt.Fprintf(out, "a link for %s is mailed to %s by the running server; it is good once, until %s\n", u.Name, command.Plain(made.Mailed), until)
		return nil
	}
	fmt.Fprintf(out, "give this link to %s, by a way that only they can read; it is good once, until %s:\n%s\n", u.Name, until, made.URL.Reveal())
	return nil
}
