package server

import (
	"fmt"
	"slices"
	"strings"

	"idp/internal/config"
	"idp/internal/oidc/clients"
	"idp/internal/secret"
	"idp/internal/store"
)

// Warnings are what does not stop a server, for an old file must start: client
// secrets that can be guessed, codes that travel in clear, names that do not read as
// what they are, passwords that nobody could choose today, and what is probably not meant as it is written.
func Warnings(c *config.Config) (warnings config.Problems) {
	for i, cl := range c.Clients {
		at := fmt.Sprintf("$.clients[%d]", i)
		for _, err := range clients.Warnings(&cl) {
			field, text, _ := strings.Cut(err.Error(), ": ")
			warnings = append(warnings, c.Problem(at+"."+field, text, ""))
		}
		warnings = append(warnings, secretWarnings(c, at, cl)...)
		warnings = append(warnings, exchangeWarnings(c, at, &cl)...)
	}
	warnings = append(warnings, brandWarnings(c)...)
	warnings = append(warnings, userWarnings(c)...)
	warnings = append(warnings, directoryWarnings(c)...)
	warnings = append(warnings, resourceWarnings(c)...)
	for _, w := range c.ForwardAuth.Warnings() {
		warnings = append(warnings, c.Problem(fmt.Sprintf("$.forward_auth[%d].%s", w.Site, w.Field), w.Text, w.Hint))
	}
	return append(warnings, factorWarnings(c)...)
}

// factorWarnings: a rule that never decides, or for nobody, leaves a door open that
// somebody believes to be shut.
func factorWarnings(c *config.Config) (warnings config.Problems) {
	for _, w := range c.Factors.Warnings() {
		warnings = append(warnings, c.Problem(fmt.Sprintf("$.factors[%d].%s", w.Rule, w.Field), w.Text, w.Hint))
	}
	for i, r := range c.Factors {
		warnings = append(warnings, unknownClients(c, fmt.Sprintf("$.factors[%d].clients", i), r.Clients)...)
	}
	return warnings
}

// userWarnings: passwords in the file that nobody could choose today.
func userWarnings(c *config.Config) (warnings config.Problems) {
	policy, err := PasswordPolicy(c)
	if err != nil {
		return nil // Check has said so
	}
	for i, u := range c.Users {
		password, err := config.ReadSecret(u.PasswordFile)
		if err != nil {
			continue
		}
		if err := policy.Check(&store.User{Name: u.Name, FullName: u.FullName, Email: u.Email}, password); err != nil {
			warnings = append(warnings, c.Problem(fmt.Sprintf("$.users[%d].password_file", i), "would not be accepted of "+u.Name+": "+err.Error(), ""))
		}
	}
	return warnings
}

// secretWarnings are about the files with a client's secrets, which are at a path of
// the configuration.
func secretWarnings(c *config.Config, at string, cl store.Client) (warnings config.Problems) {
	var first secret.String
	for i, file := range secretFiles(cl) {
		text, err := config.ReadSecret(file.path)
		switch {
		case err != nil:
		case len(text) < minSecret:
			warnings = append(warnings, c.Problem(at+"."+file.key,
				fmt.Sprintf("the secret of %s has fewer than %d characters and can be guessed", cl.ClientID, minSecret), byOpenSSL+" makes a good one"))
		case i > 0 && secret.Equal(secret.Hash(first), secret.Hash(text)):
			warnings = append(warnings, c.Problem(at+"."+file.key, "the next secret of "+cl.ClientID+" is the one it has", byOpenSSL+" makes another"))
		}
		first = text
	}
	return warnings
}

// resourceWarnings: a name that is misspelt there would only be noticed when its
// client gets no tokens.
func resourceWarnings(c *config.Config) (warnings config.Problems) {
	for i, r := range c.Resources {
		warnings = append(warnings, unknownClients(c, fmt.Sprintf("$.resources[%d].clients", i), r.Clients)...)
	}
	return warnings
}

// exchangeWarnings: nothing is exchanged for what is no resource, or is not for the client.
func exchangeWarnings(c *config.Config, at string, cl *store.Client) (warnings config.Problems) {
	check := func(key, audience string) {
		if !slices.ContainsFunc(c.Resources, func(r store.Resource) bool { return r.URI == audience && clients.MayAsk(cl, r) }) {
			warnings = append(warnings, c.Problem(at+key, fmt.Sprintf("nothing is given for %q", audience),
				"it is none of the resources, or its clients do not have "+cl.ClientID))
		}
	}
	for n, e := range cl.Exchange {
		check(fmt.Sprintf(".exchange[%d].audience", n), e.Audience)
	}
	for n, audience := range cl.TicketExchange {
		check(fmt.Sprintf(".ticket_exchange[%d]", n), audience)
	}
	return warnings
}

// unknownClients are those of a list that the file has not.
func unknownClients(c *config.Config, at string, ids []string) (warnings config.Problems) {
	known := append(c.ForwardAuth.Clients(c.IssuerURL()), c.Clients...)
	for n, id := range ids {
		if !slices.ContainsFunc(known, func(cl store.Client) bool { return cl.ClientID == id }) {
			warnings = append(warnings, c.Problem(fmt.Sprintf("%s[%d]", at, n),
				fmt.Sprintf("there is no relying party %q in this file", id), "is it in the database? idp client list"))
		}
	}
	return warnings
}
