package client

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"idp/internal/keys"
	"idp/internal/oidc/clients"
	"idp/internal/secret"
	"idp/internal/store"
)

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
			"  a tool, by a ticket:     idp client add idp-cli --public --grant-types urn:ietf:params:oauth:grant-type:token-exchange --ticket-exchange https://ledger.example.com\n" +
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
	if err := o.notOfASite(cl.ClientID); err != nil {
		return err
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
