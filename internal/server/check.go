package server

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"idp/internal/config"
	"idp/internal/oidc/clients"
	"idp/internal/store"
	"idp/internal/user"
)

// Check returns the problems of a configuration that only the parts that use it
// know of, beside those that config.Load finds: the rules of relying parties and
// resources, users' names and passwords, the brand, registration, the directory, the certificate. It reads the files that
// are named, and neither the database nor the network.
func Check(c *config.Config) config.Problems {
	_, problems := fileClients(c)
	problems = append(problems, checkResources(c)...)
	problems = append(problems, checkSites(c)...)
	problems = append(problems, checkUsers(c)...)
	problems = append(problems, checkBrand(c)...)
	problems = append(problems, checkRegistration(c)...)
	problems = append(problems, checkPeople(c)...)
	problems = append(problems, checkDirectory(c)...)
	problems = append(problems, checkUpstreams(c)...)
	return append(problems, checkTLS(c)...)
}

// checkResources: access tokens for two resources of one name would be for either.
func checkResources(c *config.Config) (problems config.Problems) {
	seen := map[string]bool{}
	for i, r := range c.Resources {
		at := fmt.Sprintf("$.resources[%d]", i)
		if seen[r.URI] && r.URI != "" {
			problems = append(problems, c.Problem(at+".uri", fmt.Sprintf("%q is there twice", r.URI), ""))
		}
		seen[r.URI] = true
		for _, err := range clients.CheckResource(r, c.Issuer) {
			field, text, _ := strings.Cut(err.Error(), ": ")
			problems = append(problems, c.Problem(at+"."+field, text, ""))
		}
	}
	return problems
}

// checkSites: a protected site is a relying party whose client_id is its host.
func checkSites(c *config.Config) (problems config.Problems) {
	for i, site := range c.ForwardAuth {
		if slices.ContainsFunc(c.Clients, func(cl store.Client) bool { return cl.ClientID == site.Host }) {
			problems = append(problems, c.Problem(fmt.Sprintf("$.forward_auth[%d].host", i), fmt.Sprintf("%q is the client_id of a relying party of clients", site.Host), "give that one another client_id"))
		}
	}
	return problems
}

// minSecret is what a secret that somebody else made should have at least, in
// characters: guessing is not slowed down where programs authenticate (RFC 6749
// §10.10). byOpenSSL makes one of 256 bits.
const (
	minSecret = 16
	byOpenSSL = "openssl rand -hex 32"
)

// checkRegistration: a weak initial access token lets everybody in; that the file
// can be read, config has seen.
func checkRegistration(c *config.Config) config.Problems {
	if c.Registration.InitialAccessTokenFile == "" {
		return nil
	}
	token, err := config.ReadSecret(c.Registration.InitialAccessTokenFile)
	var missing *fs.PathError
	switch {
	case errors.As(err, &missing):
		return nil
	case err == nil && len(token) < minSecret:
		err = fmt.Errorf("%s: the token has fewer than %d characters and can be guessed", c.Registration.InitialAccessTokenFile, minSecret)
	case err == nil && strings.ContainsFunc(token.Reveal(), func(r rune) bool { return r <= ' ' || r > '~' }):
		err = fmt.Errorf("%s: the token has characters that cannot stand in a header", c.Registration.InitialAccessTokenFile)
	}
	if err == nil {
		return nil
	}
	return config.Problems{c.Problem("$.registration.initial_access_token_file", err.Error(), byOpenSSL+" makes a good one")}
}

func checkUsers(c *config.Config) (problems config.Problems) {
	for i, u := range c.Users {
		at := fmt.Sprintf("$.users[%d]", i)
		if err := user.CheckName(u.Name); err != nil {
			problems = append(problems, c.Problem(at+".name", err.Error(), ""))
		}
		if err := user.CheckClaims(u.Claims); err != nil {
			for text := range strings.Lines(err.Error()) {
				field, text, _ := strings.Cut(strings.TrimSpace(text), ": ")
				problems = append(problems, c.Problem(at+".claims."+field, text, ""))
			}
		}
		if u.PasswordFile == "" {
			continue // config has said so
		}
		password, err := config.ReadSecret(u.PasswordFile)
		if n := len(password); err == nil && (n < user.LeastLength || n > user.MaxPassword) {
			err = fmt.Errorf("%s: a password has %d to %d characters", u.PasswordFile, user.LeastLength, user.MaxPassword)
		}
		if err != nil {
			problems = append(problems, c.Problem(at+".password_file", err.Error(), ""))
		}
	}
	return problems
}

// checkPeople: what local users need: the list of blocked passwords, the mail server's
// certificates and password.
func checkPeople(c *config.Config) (problems config.Problems) {
	var missing *fs.PathError
	if _, err := PasswordPolicy(c); err != nil && !errors.As(err, &missing) && c.Passwords.CheckLength() == nil {
		problems = append(problems, c.Problem("$.passwords.blocklist_file", err.Error(), ""))
	}
	if _, err := Sender(c); err != nil && !errors.As(err, &missing) && len(c.SMTP.Problems()) == 0 {
		problems = append(problems, c.Problem("$.smtp", err.Error(), ""))
	}
	return problems
}

// checkTLS: whether both files are there, config has looked.
func checkTLS(c *config.Config) config.Problems {
	if c.TLS.Certificate == "" || c.TLS.Key == "" {
		return nil
	}
	_, err := tls.LoadX509KeyPair(c.TLS.Certificate, c.TLS.Key)
	var missing *fs.PathError
	if err == nil || errors.As(err, &missing) {
		return nil
	}
	return config.Problems{c.Problem("$.tls", err.Error(), "a PEM certificate, with its chain, and the PEM key that belongs to it")}
}
