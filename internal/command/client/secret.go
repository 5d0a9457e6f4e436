package client

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"idp/internal/oidc/clients"
	"idp/internal/secret"
	"idp/internal/store"
)

func (c commands) secret() *cobra.Command {
	var fresh, dropOld bool
	cmd := &cobra.Command{
		Use: "secret CLIENT_ID --new | --drop-old", Short: "Roll the secret of a relying party over", Args: cobra.ExactArgs(1),
		Long: "Roll a secret over without an outage: --new makes a second one, 256 bits, printed once, and both are good;\n" +
			"give it to the site; then --drop-old leaves only the new one. The running server knows within a second.\n" +
			"When somebody has seen a secret, do both at once, and idp client set CLIENT_ID --revoke.",
		Example: "  idp client secret wiki --new\n  idp client secret wiki --drop-old",
		RunE: c.withStore(func(o opened, args []string) error {
			switch {
			case fresh:
				return o.newSecret(args[0])
			case dropOld:
				return o.dropSecret(args[0])
			}
			return fmt.Errorf("say what to do: idp client secret %s --new makes a second secret, --drop-old ends the older one", args[0])
		}),
	}
	cmd.Flags().BoolVar(&fresh, "new", false, "make a second secret and print it, once")
	cmd.Flags().BoolVar(&dropOld, "drop-old", false, "the older secret is good no more")
	cmd.MarkFlagsMutuallyExclusive("new", "drop-old")
	return cmd
}

func (o opened) newSecret(id string) error {
	cl, err := o.storedClient(id)
	if err != nil {
		return err
	}
	if !clients.UsesSecret(cl) {
		return fmt.Errorf("%s has no secret: token_endpoint_auth_method is %s", id, clients.AuthMethod(cl))
	}
	plain := secret.Token()
	err = o.Store.AddClientSecret(o.Ctx, *cl, secret.Hash(plain), o.clientEntry(id))
	if errors.Is(err, store.ErrTooMany) {
		return fmt.Errorf("%s has two secrets already; idp client secret %s --drop-old", id, id)
	}
	if err := changedMeanwhile(id, err); err != nil {
		return err
	}
	fmt.Fprintf(o.Cmd.OutOrStdout(), "client_id: %s\n", id)
	o.printSecret(plain)
	return nil
}

func (o opened) dropSecret(id string) error {
	cl, err := o.storedClient(id)
	if err != nil {
		return err
	}
	err = o.Store.DropClientSecret(o.Ctx, *cl, o.clientEntry(id))
	if errors.Is(err, store.ErrNotFound) && len(cl.SecretHashes) < 2 {
		return fmt.Errorf("%s has no older secret; idp client secret %s --new makes a second one", id, id)
	}
	if err := changedMeanwhile(id, err); err != nil {
		return err
	}
	fmt.Fprintf(o.Cmd.OutOrStdout(), "%s has its newer secret only\n", id)
	return nil
}
