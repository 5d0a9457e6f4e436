package client

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"idp/internal/oidc/clients"
	"idp/internal/secret"
	"idp/internal/store"
)

func (c commands) set() *cobra.Command {
	var typed *changes
	revoke := false
	cmd := &cobra.Command{
		Use: "set CLIENT_ID", Short: "Change a relying party", Args: cobra.ExactArgs(1),
		Long: "Change what the flags name and nothing else; a list replaces the one that is there. Whoever is logged in\n" +
			"there stays so, unless the relying party may do less by the change (untrusted, less scope, fewer grants,\n" +
			"bound tokens): then all that it was granted ends, as by --revoke. --trusted adopts one that registered itself.",
		Example: "  idp client set wiki --redirect-uri https://wiki.example.com/cb --redirect-uri https://wiki2.example.com/cb\n" +
			"  idp client set wiki --allow-group staff,partners\n" +
			"  idp client set wiki --allow-group \"\"                  everybody again\n" +
			"  idp client set wiki --auth-method private_key_jwt --jwks wiki.jwks     its secrets go\n" +
			"  idp client set wiki --dpop=false",
		RunE: c.withStore(func(o opened, args []string) error { return o.setClient(args[0], *typed, revoke) }),
	}
	typed = flags(cmd)
	cmd.Flags().BoolVar(&revoke, "revoke", false, "end all that it was granted: people log in there again")
	return cmd
}

func (o opened) setClient(id string, typed changes, revoke bool) error {
	before, err := o.storedClient(id)
	if err != nil {
		return err
	}
	if len(typed) == 0 && !revoke {
		return errors.New("nothing to change; idp client set --help lists what can be")
	}
	after := *before
	typed.apply(&after)
	plain := settleSecret(&after)
	if err := errors.Join(clients.Check(&after)...); err != nil {
		return err
	}
	o.warnOfName(after)
	if err := o.needKeys(after.IDTokenAlg, after.UserinfoAlg); err != nil { // before a secret counts: an error must not lose it
		return err
	}
	revoke = revoke || clients.LowersTrust(before, &after)
	if err := changedMeanwhile(id, o.Store.UpdateClient(o.Ctx, after, revoke, o.clientEntry(id))); err != nil {
		return err
	}
	fmt.Fprintf(o.Cmd.OutOrStdout(), "client_id: %s\n", id)
	if revoke {
		fmt.Fprintln(o.Cmd.ErrOrStderr(), "All that it was granted has ended.")
	}
	o.printSecret(plain)
	o.printWarnings(&after)
	return nil
}

// settleSecret gives a relying party the secret that its method needs, and takes
// away those that it does not. The new one is returned, empty for none.
func settleSecret(cl *store.Client) (plain secret.String) {
	switch {
	case !clients.UsesSecret(cl):
		cl.SecretHashes = nil
	case len(cl.SecretHashes) == 0:
		plain = secret.Token()
		cl.SecretHashes = [][]byte{secret.Hash(plain)}
	}
	return plain
}

func (o opened) printSecret(plain secret.String) {
	if plain != "" {
		fmt.Fprintf(o.Cmd.OutOrStdout(), "client_secret: %s\n", plain.Reveal())
		fmt.Fprintln(o.Cmd.ErrOrStderr(), "This secret is shown only now; idp keeps its hash.")
	}
}

func (o opened) printWarnings(cl *store.Client) {
	for _, w := range clients.Warnings(cl) {
		fmt.Fprintln(o.Cmd.ErrOrStderr(), "warning:", w)
	}
}

func (o opened) clientEntry(id string) store.Entry { return store.Entry{Actor: o.Actor, ClientID: id} }

// storedClient finds a relying party that a command may change.
func (o opened) storedClient(id string) (*store.Client, error) {
	cl, err := o.clientByID(id)
	if err != nil {
		return nil, err
	}
	if cl.FromFile {
		return nil, fmt.Errorf("the configuration file owns %q; change it there and reload (SIGHUP)", id)
	}
	return cl, nil
}

// changedMeanwhile says what store.ErrConflict means to a change.
func changedMeanwhile(id string, err error) error {
	if errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("somebody else has changed %q meanwhile; look at it (idp client show %s) and try again", id, id)
	}
	return err
}
