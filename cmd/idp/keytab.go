package main

import (
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/config"
	"idp/internal/keytabplan"
)

func (c cli) keytab() *cobra.Command {
	cmd := command.Group(&cobra.Command{Use: "keytab", Short: "Say how to make the keytab"})
	cmd.AddCommand(c.keytabPlan())
	return cmd
}

func (c cli) keytabPlan() *cobra.Command {
	var r keytabplan.Request
	var system string
	var rollover, refresh bool
	cmd := &cobra.Command{
		Use: "plan", Short: "Print the commands that make service account, SPN and keytab", Args: cobra.NoArgs,
		Long: "Print the commands that make service account, service principal name and keytab for this issuer,\n" +
			"in each kind of directory, with AES keys only. --rollover: those that replace its key. --refresh: those that bring a key that the\n" +
			"directory has and the keytab has not (KVNO_MISMATCH) into the keytab. Both keep the old entries, so\n" +
			"that tickets that are out go on working.\n" +
			"Nothing is run or changed. Lines that begin with # explain; all others can be pasted as they are.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := c.LoadFor(cmd, "issuer", "kerberos.realms", "kerberos.keytabs")
			if err != nil {
				return err
			}
			if err := fromConfig(&r, cfg); err != nil {
				return err
			}
			plans, err := keytabplan.New(r, system, task(rollover, refresh))
			if err != nil {
				return err
			}
			return keytabplan.Write(cmd.OutOrStdout(), plans)
		},
	}
	f := cmd.Flags()
	f.StringVar(&system, "for", "", "only this `DIRECTORY`: "+strings.Join(keytabplan.Names(), ", "))
	f.BoolVar(&rollover, "rollover", false, "replace the key, without refusing the tickets that are out")
	f.BoolVar(&refresh, "refresh", false, "add the directory's present key to the keytab, after somebody changed it")
	f.StringVar(&r.Realm, "realm", "", "the `REALM` (default: the first of kerberos.realms)")
	f.StringArrayVar(&r.Also, "also", nil, "another host `NAME` of idp, such as the target of a CNAME")
	f.StringVar(&r.Owner, "owner", "idp", "the `USER` that idp runs as")
	f.StringVar(&r.Account, "account", "", "the service account's `NAME` in Active Directory and Samba (default: idp- and the host's first label)")
	cmd.MarkFlagsMutuallyExclusive("rollover", "refresh")
	return cmd
}

func task(rollover, refresh bool) keytabplan.Task {
	switch {
	case rollover:
		return keytabplan.RollOver
	case refresh:
		return keytabplan.Refresh
	default:
		return keytabplan.SetUp
	}
}

// fromConfig fills in what the configuration knows.
func fromConfig(r *keytabplan.Request, cfg *config.Config) (err error) {
	r.Host = cfg.IssuerURL().Hostname()
	if r.Realm == "" && len(cfg.Kerberos.Realms) > 0 {
		r.Realm = cfg.Kerberos.Realms[0].Name
	}
	r.Keytab = "http.keytab"
	if len(cfg.Kerberos.Keytabs) > 0 {
		r.Keytab = cfg.Kerberos.Keytabs[0]
	}
	if r.Keytab, err = filepath.Abs(r.Keytab); err != nil || cfg.Path == "" {
		return err
	}
	r.Config, err = filepath.Abs(cfg.Path)
	return err
}
