package user

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/store"
)

func (c commands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Print a user as JSON, with the names of the configuration file", Args: cobra.ExactArgs(1),
		RunE: c.withStore(func(o opened, args []string) error {
			u, err := o.byName(args[0])
			if err != nil {
				return err
			}
			identities, err := o.Store.IdentitiesOf(o.Ctx, u.ID)
			if err != nil {
				return err
			}
			shown := shownUser{Name: u.Name, Subject: u.ID, FullName: u.FullName, Email: u.Email, EmailVerified: u.EmailVerified,
				Groups: append([]string{}, u.Groups...), Claims: u.Claims, Password: u.PasswordHash != "", Admin: u.Admin, Disabled: u.Disabled}
			if shown.Factors, shown.RecoveryCodes, err = o.factorsOf(u); err != nil {
				return err
			}
			for _, id := range identities {
				shown.Kerberos = append(shown.Kerberos, spoken(id))
			}
			for principal, name := range o.Config.Kerberos.Services {
				if name == u.Name {
					shown.Kerberos = append(shown.Kerberos, "the service "+principal)
				}
			}
			if err := o.showGuesses(&shown, u); err != nil {
				return err
			}
			enc := json.NewEncoder(o.Cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			enc.SetEscapeHTML(false)
			return enc.Encode(shown)
		}),
	}
}

// shownUser is a user without the hash of the password.
type shownUser struct {
	Name          string           `json:"name"`
	Subject       string           `json:"sub"`
	FullName      string           `json:"full_name,omitempty"`
	Email         string           `json:"email,omitempty"`
	EmailVerified bool             `json:"email_verified"`
	Groups        []string         `json:"groups"`
	Claims        store.UserClaims `json:"claims,omitzero"`
	Password      bool             `json:"password"`           // of idp's own
	Kerberos      []string         `json:"kerberos,omitempty"` // what logs in as this user
	Factors       []shownFactor    `json:"factors,omitempty"`
	RecoveryCodes int64            `json:"recovery_codes,omitempty"` // that are left
	Admin         bool             `json:"admin"`
	Disabled      bool             `json:"disabled"`

	WrongPasswords int    `json:"wrong_passwords,omitempty"` // that count now
	LockedUntil    string `json:"locked_until,omitempty"`    // no password is checked before
}

func (c commands) set() *cobra.Command {
	var email, fullName string
	var groups, claims []string
	cmd := &cobra.Command{
		Use: "set NAME", Short: "Change what sites are told of a user", Args: cobra.ExactArgs(1),
		Long: "Change what the flags name and nothing else; --group replaces the groups that are there. Sessions stay, and sites\n" +
			"are told with their next token. A new mail address is not verified. Where tickets carry groups, the next login\n" +
			"by ticket sets them again.",
		Example: "  idp user set bob --email bob@example.com --group staff --group finance\n" +
			"  idp user set bob --claim given_name=Bob --claim nickname=      one set, one taken away\n" +
			"  idp user set bob --group \"\"                                   no groups",
		RunE: c.withStore(func(o opened, args []string) error {
			u, err := o.byName(args[0])
			if err != nil {
				return err
			}
			changed, before := o.Cmd.Flags().Changed, u.Groups
			switch {
			case !changed("email") && !changed("name") && !changed("group") && !changed("claim"):
				return errors.New("nothing to change; idp user set --help lists what can be")
			case email != "" && !strings.Contains(email, "@"):
				return notAnAddress(email)
			}
			if changed("email") {
				u.Email = email
			}
			if changed("name") {
				u.FullName = fullName
			}
			if changed("group") {
				u.Groups = slices.DeleteFunc(groups, func(g string) bool { return g == "" })
			}
			if err := setClaims(&u.Claims, claims, true); err != nil {
				return err
			}
			err = o.Store.UpdateUser(o.Ctx, *u, o.entry(u))
			if errors.Is(err, store.ErrConflict) {
				return fmt.Errorf("somebody else has changed %q meanwhile; look at it (idp user show %s) and try again", u.Name, u.Name)
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(o.Cmd.OutOrStdout(), "%s is changed; sessions stay\n", u.Name)
			if !slices.Equal(before, u.Groups) { // those that were not named again are gone
				fmt.Fprintf(o.Cmd.OutOrStdout(), "groups before: %s\ngroups now: %s\n", groupsOf(before), groupsOf(u.Groups))
			}
			return nil
		}),
	}
	f := cmd.Flags()
	f.StringVar(&email, "email", "", "mail address; empty: none")
	f.StringVar(&fullName, "name", "", "full name")
	f.StringArrayVar(&groups, "group", nil, "group, in the place of those that are there; may be repeated")
	f.StringArrayVar(&claims, "claim", nil, "what else sites may learn, `NAME=VALUE`, NAME= for no more; may be repeated")
	return cmd
}

func groupsOf(groups []string) string {
	if len(groups) == 0 {
		return "none"
	}
	return command.Plain(strings.Join(groups, ", "))
}
