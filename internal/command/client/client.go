// Package client is `idp client`: the commands by which an administrator registers,
// lists, changes and removes relying parties. What a registration may say is judged in
// internal/oidc/clients, as it is for everybody else.
package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/secret"
	"idp/internal/store"
)

// Command is `idp client`.
func Command(l *command.Line) *cobra.Command {
	c := commands{l}
	cmd := command.Group(&cobra.Command{Use: "client", Short: "Register, list, change and remove relying parties"})
	cmd.AddCommand(c.add(), c.list(), c.show(), c.set(), c.secret(), c.logouts(), c.remove())
	return cmd
}

// commands are those below it.
type commands struct{ *command.Line }

// opened is what one of them gets.
type opened struct{ command.Opened }

func (c commands) withStore(run func(o opened, args []string) error) func(*cobra.Command, []string) error {
	return c.WithStore(func(o command.Opened, args []string) error { return run(opened{o}, args) })
}

func (c commands) add() *cobra.Command {
	var typed *changes
	cmd := &cobra.Command{
		Use: "add CLIENT_ID --redirect-uri URL", Short: "Register a relying party and print its secret, once", Args: cobra.ExactArgs(1),
		Example: "  a web site:              idp client add wiki --name Wiki --redirect-uri https://wiki.example.com/cb\n" +
			"  a site that stays in:    idp client add mail --redirect-uri https://mail.example.com/cb --grant-types authorization_code,refresh_token\n" +
			"  an app or a web page:    idp client add app --public --redirect-uri http://127.0.0.1/cb\n" +
			"  a site with its own key: idp client add shop --auth-method private_key_jwt --jwks shop.jwks --redirect-uri https://shop.example.com/cb\n" +
			"  FAPI 2.0:                idp client add bank --profile fapi2 --auth-method private_key_jwt --jwks-uri https://bank.example.com/jwks --redirect-uri https://bank.example.com/cb\n" +
			"  a device, a terminal:    idp client add cli --public --grant-types urn:ietf:params:oauth:grant-type:device_code,refresh_token\n" +
			"  a program for itself:    idp client add robot --grant-types client_credentials --scope read\n" +
			"  a site of a stranger:    idp client add shop2 --untrusted --scope \"openid profile email\" --redirect-uri https://shop2.example/cb\n" +
			"  an old site, no PKCE:    idp client add old --no-pkce --id-token-alg RS256 --redirect-uri https://old.example.com/cb",
		RunE: c.withStore(func(o opened, args []string) error {
			trusted := true
			cl := store.Client{ClientID: args[0], IDTokenAlg: keys.ES256, Trusted: &trusted}
			typed.apply(&cl)
			plain := settleSecret(&cl)
			if err := errors.Join(clients.Check(&cl)...); err != nil {
				return err
			}
			o.warnOfName(cl)
			return o.addClient(cl, plain)
		}),
	}
	typed = flags(cmd)
	return cmd
}

// warnOfName tells whoever gives a relying party a name that people cannot read.
func (o opened) warnOfName(cl store.Client) {
	if err := clients.CheckName(cl.ClientName); err != nil {
		fmt.Fprintf(o.Cmd.ErrOrStderr(), "warning: client_name: %v; people read it where they log in and allow\n", err)
	}
}

func (o opened) addClient(cl store.Client, plain secret.String) error {
	for _, f := range o.Config.Clients {
		if f.ClientID == cl.ClientID {
			return fmt.Errorf("the configuration file owns %q; change it there", cl.ClientID)
		}
	}
	if err := o.needKeys(cl.IDTokenAlg, cl.UserinfoAlg); err != nil { // before the secret counts: an error must not lose it
		return err
	}
	err := o.Store.AddClient(o.Ctx, cl, o.clientEntry(cl.ClientID))
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("there is a relying party %q already; idp client show %s", cl.ClientID, cl.ClientID)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Cmd.OutOrStdout(), "issuer: %s\nclient_id: %s\n", o.Config.Issuer, cl.ClientID)
	o.printSecret(plain)
	o.printWarnings(&cl)
	return nil
}

// needKeys makes the keys of algorithms that not every installation has, so that
// they are published before the relying party's first login.
func (o opened) needKeys(algs ...string) error {
	algs = slices.DeleteFunc(algs, func(alg string) bool { return !keys.Optional(alg) })
	if len(algs) == 0 {
		return nil
	}
	k, err := o.Keys()
	if err != nil {
		return err
	}
	return k.Need(o.Ctx, algs...)
}

// allClients are those of the file and of the database.
func (o opened) allClients() ([]store.Client, error) {
	out := make([]store.Client, 0, len(o.Config.Clients))
	for _, cl := range o.Config.Clients {
		cl.FromFile = true
		out = append(out, cl)
	}
	stored, err := o.Store.Clients(o.Ctx)
	return append(out, stored...), err
}

func (c commands) list() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List relying parties", Args: cobra.NoArgs,
		RunE: c.withStore(func(o opened, _ []string) error {
			all, err := o.allClients()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(o.Cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "CLIENT ID\tNAME\tOWNED BY\tTRUSTED\tMETHOD\tREDIRECT URIS")
			for i := range all {
				cl := &all[i]
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", cl.ClientID, command.Plain(cl.ClientName), owner(*cl), yesNo(clients.Trusted(cl)), clients.AuthMethod(cl), strings.Join(cl.RedirectURIs, " "))
			}
			return w.Flush()
		}),
	}
}

func yesNo(is bool) string {
	if is {
		return "yes"
	}
	return "no"
}

func owner(cl store.Client) string {
	switch {
	case cl.FromFile:
		return "file"
	case cl.Registered:
		return "database, registered itself"
	}
	return "database"
}

func (c commands) show() *cobra.Command {
	return &cobra.Command{
		Use: "show CLIENT_ID", Short: "Print a relying party as JSON, with the names of RFC 7591, defaults included and without its secret", Args: cobra.ExactArgs(1),
		RunE: c.withStore(func(o opened, args []string) error {
			cl, err := o.clientByID(args[0])
			if err != nil {
				return err
			}
			enc := json.NewEncoder(o.Cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			enc.SetEscapeHTML(false)
			return enc.Encode(clients.MetadataOf(*cl))
		}),
	}
}

// clientByID finds the relying party that a command names.
func (o opened) clientByID(id string) (*store.Client, error) {
	all, err := o.allClients()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].ClientID == id {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("no relying party %q; idp client list shows all", id)
}

func (c commands) remove() *cobra.Command {
	return &cobra.Command{
		Use: "remove CLIENT_ID", Short: "Remove a relying party and revoke what it was given", Args: cobra.ExactArgs(1),
		RunE: c.withStore(func(o opened, args []string) error {
			err := o.Store.RemoveClient(o.Ctx, args[0], o.clientEntry(args[0]))
			if err == nil {
				fmt.Fprintf(o.Cmd.OutOrStdout(), "%s is removed, and all that it was granted has ended\n", args[0])
			}
			if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			for _, cl := range o.Config.Clients {
				if cl.ClientID == args[0] {
					return fmt.Errorf("the configuration file owns %q; remove it there and reload (SIGHUP)", args[0])
				}
			}
			return fmt.Errorf("no relying party %q; idp client list shows all", args[0])
		}),
	}
}
