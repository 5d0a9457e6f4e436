// Package client is `idp client`: the commands by which an administrator registers,
// lists, changes and removes relying parties. What a registration may say is judged in
// internal/oidc/clients, as it is for everybody else.
package client

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"idp/internal/command"
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
	if err := o.notOfASite(id); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("no relying party %q; idp client list shows all", id)
}

// notOfASite refuses the client id of a protected site: with a relying party of that id
// in the database the server would not start.
func (o opened) notOfASite(id string) error {
	for _, s := range o.Config.ForwardAuth {
		if s.Host == id {
			return fmt.Errorf("%q is a site of forward_auth in the configuration file, and nobody else's client id; change it there", id)
		}
	}
	return nil
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
