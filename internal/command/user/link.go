package user

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"idp/internal/store"
	"idp/internal/user"
)

func (c commands) link() *cobra.Command {
	var who account
	create := false
	cmd := &cobra.Command{
		Use: "link NAME --sid SID | --principal NAME | --upstream ID --subject SUB", Short: "Let a Kerberos account, or a login at an upstream, log in as a user", Args: cobra.ExactArgs(1),
		Long: "Let a Kerberos account, or a login at an upstream, log in as a user. The second is how people\n" +
			"are invited who log in elsewhere: the sub is that of their refused login, or what their\n" +
			"provider's administrator says. The first is how an administrator decides when a\n" +
			"login was refused with NAME_TAKEN: the account's name is held by a user that another\n" +
			"account, or a local password, made. The log line of the refusal has the command: with --sid\n" +
			"where the realm's tickets carry SIDs (Active Directory, Samba), else with --principal (MIT,\n" +
			"Heimdal, FreeIPA).\n\n" +
			"As long as the user has a password of idp's own, that one counts, not the realm's.\n" +
			"Once a realm has a SID here its tickets without one are refused, unless it says pac: optional.",
		Example: "The same person (an account that was deleted and made again, say):\n" +
			"  idp user link alice --sid S-1-5-21-1004336348-1177238915-682003330-1104\n" +
			"  idp user link alice --principal alice --realm EXAMPLE.COM\n" +
			"  idp user link alice --upstream partner --subject 24400320\n" +
			"Somebody else, who gets another name here:\n" +
			"  idp user link alice2 --sid S-1-5-21-1004336348-1177238915-682003330-1188 --create\n" +
			"  idp user link alice2 --principal alice --realm EXAMPLE.COM --create\n" +
			"  idp user link carol --upstream partner --subject 24400320 --create",
		RunE: c.withStore(func(o opened, args []string) error {
			id, err := who.identity(o)
			if err != nil {
				return err
			}
			if create {
				err = o.createLinked(args[0], id)
			} else {
				err = o.link(args[0], id)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(o.Cmd.OutOrStdout(), "%s now logs in as %s\n", spoken(id), args[0])
			return nil
		}),
	}
	who.flags(cmd)
	cmd.Flags().BoolVar(&create, "create", false, "make the user first")
	return cmd
}

func (o opened) createLinked(name string, id store.Identity) error {
	if err := user.CheckName(name); err != nil {
		return err
	}
	if err := o.ownName(name); err != nil {
		return err
	}
	_, err := o.Store.CreateUser(o.Ctx, store.User{Name: name}, &id, store.Entry{Actor: o.Actor, Name: name, Detail: id.Source + " " + id.Key})
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("the name %q is taken, or the account logs in as somebody already", name)
	}
	return err
}

func (o opened) link(name string, id store.Identity) error {
	u, err := o.byName(name)
	if err != nil {
		return fmt.Errorf("%w; --create makes one", err)
	}
	id.UserID = u.ID
	entry := o.entry(u)
	entry.Detail = id.Source + " " + id.Key
	err = o.Store.LinkIdentity(o.Ctx, id, entry)
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	holder, err := o.Store.UserByIdentity(o.Ctx, id.Source, id.Key)
	if err != nil {
		return err
	}
	if holder.ID == u.ID {
		return nil // as it should be
	}
	return fmt.Errorf("that account logs in as %s: idp user unlink it there first", holder.Name)
}

func (c commands) unlink() *cobra.Command {
	var who account
	cmd := &cobra.Command{
		Use: "unlink NAME --sid SID | --principal NAME | --upstream ID --subject SUB", Short: "Take a Kerberos account away from a user, or a login at an upstream; the sessions end", Args: cobra.ExactArgs(1),
		Example: "  idp user unlink alice --sid S-1-5-21-1004336348-1177238915-682003330-1104\n" +
			"  idp user unlink alice --principal alice --realm EXAMPLE.COM\n" +
			"  idp user unlink alice --upstream partner --subject 24400320",
		RunE: c.withStore(func(o opened, args []string) error {
			id, err := who.identity(o)
			if err != nil {
				return err
			}
			u, err := o.byName(args[0])
			if err != nil {
				return err
			}
			id.UserID = u.ID
			entry := o.entry(u)
			entry.Detail = id.Source + " " + id.Key
			err = o.Store.UnlinkIdentity(o.Ctx, id, entry)
			if errors.Is(err, store.ErrNotFound) {
				return fmt.Errorf("%s does not log in by that account%s", u.Name, o.linked(u))
			}
			if err == nil {
				fmt.Fprintf(o.Cmd.OutOrStdout(), "%s no longer logs in as %s, whose sessions have ended\n", spoken(id), u.Name)
			}
			return err
		}),
	}
	who.flags(cmd)
	return cmd
}

// linked lists a user's accounts, for whoever named another.
func (o opened) linked(u *store.User) string {
	ids, err := o.Store.IdentitiesOf(o.Ctx, u.ID)
	if err != nil || len(ids) == 0 {
		return ""
	}
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = spoken(id)
	}
	return ", but by " + strings.Join(words, ", ")
}
