package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/secret"
	"idp/internal/store"
)

func (c *cli) client() *cobra.Command {
	cmd := group(&cobra.Command{Use: "client", Short: "Register, list and remove relying parties"})
	cmd.AddCommand(c.clientAdd(), c.clientList(), c.clientShow(), c.clientLogouts(), c.clientRemove())
	return cmd
}

func (c *cli) clientAdd() *cobra.Command {
	var cl store.Client
	var public, untrusted bool
	cmd := &cobra.Command{
		Use: "add CLIENT_ID --redirect-uri URL", Short: "Register a relying party and print its secret, once", Args: cobra.ExactArgs(1),
		RunE: c.withStore(func(o opened, args []string) error {
			cl.ClientID = args[0]
			trusted := !untrusted
			cl.Trusted = &trusted
			var plain secret.String
			if public {
				cl.TokenEndpointAuthMethod = "none"
			} else {
				plain = secret.Token()
				cl.SecretHashes = [][]byte{secret.Hash(plain)}
			}
			if err := errors.Join(clients.Check(&cl)...); err != nil {
				return err
			}
			return o.addClient(cl, plain)
		}),
	}
	f := cmd.Flags()
	f.StringVar(&cl.ClientName, "name", "", "what people see")
	f.StringArrayVar(&cl.RedirectURIs, "redirect-uri", nil, "where codes are sent, exactly; may be repeated")
	f.StringArrayVar(&cl.PostLogoutRedirectURIs, "post-logout-redirect-uri", nil, "where people may return after signing out; may be repeated")
	f.StringVar(&cl.BackchannelLogoutURI, "backchannel-logout-uri", "", "where the server posts a logout token when a session ends")
	f.BoolVar(&cl.BackchannelLogoutSession, "backchannel-logout-session-required", false, "the logout token must name the session (it always does)")
	f.StringVar(&cl.FrontchannelLogoutURI, "frontchannel-logout-uri", "", "what the browser opens in a hidden frame when somebody signs out")
	f.BoolVar(&cl.FrontchannelLogoutSession, "frontchannel-logout-session-required", false, "the frame's address gets iss and sid")
	f.StringSliceVar(&cl.GrantTypes, "grant-types", []string{"authorization_code"}, "authorization_code, refresh_token, client_credentials")
	f.StringVar(&cl.Scope, "scope", "", `what it may ask for (default "openid profile email groups")`)
	f.StringVar(&cl.TokenEndpointAuthMethod, "auth-method", "", "client_secret_basic (default) or client_secret_post")
	f.BoolVar(&public, "public", false, "a relying party without a secret (in a browser, on a phone or desktop)")
	f.BoolVar(&untrusted, "untrusted", false, "people are asked before it learns who they are, and can take that back")
	f.StringSliceVar(&cl.AllowGroups, "allow-group", nil, "only members may log in there")
	f.StringSliceVar(&cl.Groups, "groups", nil, "which of a user's groups it may see: names or prefix* (default all)")
	f.StringVar(&cl.IDTokenAlg, "id-token-alg", "ES256", "ES256 (fast), RS256 (what some libraries insist on), PS256 or EdDSA")
	f.BoolVar(&cl.ClaimsInIDToken, "claims-in-id-token", false, "put scope claims into the ID token (Kubernetes reads nothing else)")
	cmd.MarkFlagsMutuallyExclusive("public", "auth-method")
	return cmd
}

func (o opened) addClient(cl store.Client, plain secret.String) error {
	for _, f := range o.cfg.Clients {
		if f.ClientID == cl.ClientID {
			return fmt.Errorf("the configuration file owns %q; change it there", cl.ClientID)
		}
	}
	err := o.store.AddClient(o.ctx, cl, store.Entry{Actor: o.actor, ClientID: cl.ClientID})
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("there is a relying party %q already; idp client show %s", cl.ClientID, cl.ClientID)
	}
	if err != nil {
		return err
	}
	if err := o.needKeys(cl.IDTokenAlg, cl.UserinfoAlg); err != nil {
		return err
	}
	out := o.cmd.OutOrStdout()
	fmt.Fprintf(out, "issuer: %s\nclient_id: %s\n", o.cfg.Issuer, cl.ClientID)
	if plain != "" {
		fmt.Fprintf(out, "client_secret: %s\n", plain.Reveal())
		fmt.Fprintln(o.cmd.ErrOrStderr(), "This secret is shown only now; idp keeps its hash.")
	}
	return nil
}

// needKeys makes the keys of algorithms that not every installation has, so that
// they are published before the relying party's first login.
func (o opened) needKeys(algs ...string) error {
	algs = slices.DeleteFunc(algs, func(alg string) bool { return !keys.Optional(alg) })
	if len(algs) == 0 {
		return nil
	}
	k, err := o.keys()
	if err != nil {
		return err
	}
	return k.Need(o.ctx, algs...)
}

// allClients are those of the file and of the database.
func (o opened) allClients() ([]store.Client, error) {
	out := make([]store.Client, 0, len(o.cfg.Clients))
	for _, cl := range o.cfg.Clients {
		cl.FromFile = true
		out = append(out, cl)
	}
	stored, err := o.store.Clients(o.ctx)
	return append(out, stored...), err
}

func (c *cli) clientList() *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List relying parties", Args: cobra.NoArgs,
		RunE: c.withStore(func(o opened, _ []string) error {
			clients, err := o.allClients()
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(o.cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "CLIENT ID\tNAME\tOWNED BY\tREDIRECT URIS")
			for _, cl := range clients {
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", cl.ClientID, cl.ClientName, owner(cl), strings.Join(cl.RedirectURIs, " "))
			}
			return w.Flush()
		}),
	}
}

func owner(cl store.Client) string {
	if cl.FromFile {
		return "file"
	}
	return "database"
}

func (c *cli) clientShow() *cobra.Command {
	return &cobra.Command{
		Use: "show CLIENT_ID", Short: "Print a relying party as JSON, without its secret", Args: cobra.ExactArgs(1),
		RunE: c.withStore(func(o opened, args []string) error {
			cl, err := o.clientByID(args[0])
			if err != nil {
				return err
			}
			cl.SecretHashes = nil
			enc := json.NewEncoder(o.cmd.OutOrStdout())
			enc.SetIndent("", "  ")
			return enc.Encode(cl)
		}),
	}
}

// clientByID finds the relying party that a command names.
func (o opened) clientByID(id string) (*store.Client, error) {
	clients, err := o.allClients()
	if err != nil {
		return nil, err
	}
	for i := range clients {
		if clients[i].ClientID == id {
			return &clients[i], nil
		}
	}
	return nil, fmt.Errorf("no relying party %q; idp client list shows all", id)
}

func (c *cli) clientRemove() *cobra.Command {
	return &cobra.Command{
		Use: "remove CLIENT_ID", Short: "Remove a relying party and revoke what it was given", Args: cobra.ExactArgs(1),
		RunE: c.withStore(func(o opened, args []string) error {
			err := o.store.RemoveClient(o.ctx, args[0], store.Entry{Actor: o.actor, ClientID: args[0]})
			if !errors.Is(err, store.ErrNotFound) {
				return err
			}
			for _, cl := range o.cfg.Clients {
				if cl.ClientID == args[0] {
					return fmt.Errorf("the configuration file owns %q; remove it there and reload (SIGHUP)", args[0])
				}
			}
			return fmt.Errorf("no relying party %q; idp client list shows all", args[0])
		}),
	}
}
