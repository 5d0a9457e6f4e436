package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"idp/internal/command"
	"idp/internal/exchange"
	"idp/internal/kerberos/ticket"
	"idp/internal/reason"
)

// tokenTimeout bounds the KDCs and the server together.
const tokenTimeout = 30 * time.Second

func (c cli) token() *cobra.Command {
	r := exchange.Request{}
	secretFile, asJSON := "", false
	cmd := &cobra.Command{
		Use: "token --audience URI", Short: "Get an access token for a back end by your Kerberos ticket", Args: cobra.NoArgs,
		Long: "Show a Kerberos ticket (that kinit got, or a login to this machine that gets one) to the server, and print an\n" +
			"access token for one back end: for people and scripts inside the realm, without a browser, a password or a\n" +
			"secret. Nothing but the token is on standard output. It is printed only when the server has proved that it is\n" +
			"the one of the ticket.\n\n" +
			"The ticket is read from the cache that KRB5CCNAME names (else default_ccache_name of krb5.conf, else\n" +
			"/tmp/krb5cc_UID): a file (FILE:), a folder of them (DIR:), the machine's KCM server (KCM:), or the kernel's\n" +
			"keys (KEYRING:). KDCs and realms are those of krb5.conf (KRB5_CONFIG). The administrator registers the\n" +
			"client with ticket_exchange; docs/token-exchange.md shows it.",
		Example: "  kinit\n" +
			"  curl -H \"Authorization: Bearer $(idp token --issuer https://sso.example.com --audience https://ledger.example.com)\" \\\n" +
			"    https://ledger.example.com/v1/accounts",
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if r.Issuer, err = c.issuerFor(cmd, r.Issuer); err != nil {
				return err
			}
			if secretFile != "" {
				if r.ClientSecret, err = command.ReadSecret(cmd, secretFile, "secret of "+r.ClientID, false); err != nil {
					return fmt.Errorf("--client-secret-file: %w", err)
				}
			}
			return printToken(cmd, r, asJSON)
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Audience, "audience", "", "the back end, by the `URI` that it is registered under (resources)")
	f.StringVar(&r.Issuer, "issuer", "", "the server's `URL` (default: IDP_ISSUER, or the issuer of the configuration file)")
	f.StringVar(&r.ClientID, "client-id", "idp-cli", "the client that `ID` names, registered with ticket_exchange")
	f.StringVar(&secretFile, "client-secret-file", "", "`FILE` with the client's secret on its first line, - for standard input (a terminal does not show it); for client_secret_post")
	f.StringVar(&r.Scope, "scope", "", "`SCOPES` of the token, with spaces between them (default: all of the client's)")
	f.BoolVar(&asJSON, "json", false, "print the server's whole answer: expires_in, scope, an ID token where the scope has openid")
	_ = cmd.MarkFlagRequired("audience")
	return cmd
}

// issuerFor is the named issuer, else that of the configuration, where there is one.
func (c cli) issuerFor(cmd *cobra.Command, named string) (string, error) {
	if named != "" {
		return named, nil
	}
	cfg, err := c.LoadFor(cmd, "issuer")
	if err != nil {
		return "", err
	}
	if cfg.Path == "" && os.Getenv("IDP_ISSUER") == "" {
		return "", errors.New("which server? name it: --issuer https://sso.example.com, or IDP_ISSUER")
	}
	return cfg.Issuer, nil
}

func printToken(cmd *cobra.Command, r exchange.Request, asJSON bool) error {
	ctx, cancel := context.WithTimeout(cmd.Context(), tokenTimeout)
	defer cancel()
	tickets, err := ticket.Open(time.Now())
	if err != nil {
		return withOthers(tokenHint(err, r), tickets)
	}
	got, err := exchange.Token(ctx, tickets, r)
	switch {
	case ofTheTicket(err):
		return withOthers(tokenHint(err, r), tickets)
	case err != nil:
		return tokenHint(err, r)
	}
	text := got.AccessToken
	if asJSON {
		text = string(bytes.TrimSpace(got.JSON))
	}
	_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
	return err
}

// ofTheTicket: with another person's ticket it might have gone well.
func ofTheTicket(err error) bool {
	var said *exchange.Refused
	if errors.As(err, &said) {
		return strings.Contains(said.Description, string(reason.Realm))
	}
	return errors.As(err, new(*ticket.Unfit)) || slices.Contains([]reason.Code{reason.WrongSPN, reason.KDCError}, reason.Of(err))
}

// withOthers adds to an error which tickets there are beside the one that was taken.
func withOthers(err error, tickets *ticket.Tickets) error {
	others := tickets.Others()
	if len(others) == 0 {
		return err
	}
	return fmt.Errorf("%w\n  tickets are here for %s as well; to take one: kswitch -p PRINCIPAL, or export KRB5CCNAME=…", err, strings.Join(others, ", "))
}

// tokenHints say what to do about Kerberos' refusals.
var tokenHints = map[reason.Code]string{
	reason.Expired:     "get a new one: kinit",
	reason.ClockSkew:   "set this machine's clock (or the KDC's)",
	reason.Unreachable: "no KDC answers: is this machine in the company's network, does krb5.conf name the KDCs?",
	reason.WrongSPN:    "the KDC does not know the server: its administrator makes the HTTP/ principal and the keytab (idp keytab plan); if it is in another realm than you, [domain_realm] of krb5.conf has to say so",
	reason.Etype:       "only AES is taken: kinit again, or ask the administrator of the KDC",
	reason.NotGenuine:  "the server did not prove that it has the key of its keytab, so its token is not believed: is somebody between, or a proxy that drops WWW-Authenticate from answers?",
	reason.KDCError:    "klist shows what there is; kinit gets a new ticket",
}

// tokenHint adds to an error what to do about it.
func tokenHint(err error, r exchange.Request) error {
	var said *exchange.Refused
	hint := tokenHints[reason.Of(err)]
	if errors.As(err, &said) {
		hint = refusalHint(said, r)
	}
	if hint == "" {
		return err
	}
	return fmt.Errorf("%w\n  %s", err, hint)
}

// refusalHint is for the server's refusals, which the administrator has to mend.
func refusalHint(said *exchange.Refused, r exchange.Request) string {
	switch said.Code {
	case "invalid_client":
		if r.ClientSecret == "" {
			return fmt.Sprintf("the client %q is not registered, or has a secret (--client-secret-file), or is not one with token_endpoint_auth_method none", r.ClientID)
		}
		return fmt.Sprintf("the client %q is not registered, or has another secret, or not token_endpoint_auth_method client_secret_post: client_secret_basic,\n"+
			"  the default, needs the header in which the ticket goes", r.ClientID)
	case "unauthorized_client", "unsupported_grant_type":
		return fmt.Sprintf("the administrator gives the client %q grant_types [urn:ietf:params:oauth:grant-type:token-exchange] and ticket_exchange [%s]", r.ClientID, r.Audience)
	case "invalid_target":
		return fmt.Sprintf("the administrator adds %s to resources, and to ticket_exchange of the client %q", r.Audience, r.ClientID)
	}
	if strings.Contains(said.Description, string(reason.ChannelBinding)) {
		return "the ticket is bound to the certificate seen here, which is not the server's: behind a proxy its administrator names it (kerberos.channel_binding_certificates)"
	}
	for _, code := range []reason.Code{reason.WrongKey, reason.NoKey, reason.KVNO, reason.WrongSPN, reason.NoKeytab} {
		if strings.Contains(said.Description, string(code)) {
			return "the server's keytab does not fit: its administrator asks idp doctor"
		}
	}
	return ""
}
