package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"idp/internal/config"
	"idp/internal/oidc/clients"
	"idp/internal/oidc/proof"
	"idp/internal/secret"
	"idp/internal/store"
)

// clients are the relying parties of the file, its protected sites and behind them the
// relying parties of the database. Whoever is in both belongs to neither.
func (s *Server) clients(ctx context.Context, c *config.Config) (*clients.Registry, error) {
	file, problems := fileClients(c)
	once := func(at, id string) error { // a problem where the database has the id too
		_, err := s.store.ClientByID(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err == nil {
			problems = append(problems, c.Problem(at, fmt.Sprintf("the database has a relying party %q too", id), "remove one: idp client remove "+id))
		}
		return err
	}
	for i, cl := range file {
		if err := once(fmt.Sprintf("$.clients[%d].client_id", i), cl.ClientID); err != nil {
			return nil, err
		}
	}
	sites := c.ForwardAuth.Clients(c.IssuerURL())
	for i, site := range sites {
		if err := once(fmt.Sprintf("$.forward_auth[%d].host", i), site.ClientID); err != nil {
			return nil, err
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return clients.New(append(file, sites...), s.store, s.now), nil
}

// signingAlgs are the algorithms that the file's relying parties and resources
// name; their keys are published before anybody logs in there.
func signingAlgs(c *config.Config) []string {
	var algs []string
	for _, cl := range c.Clients {
		algs = append(algs, cl.IDTokenAlg, cl.UserinfoAlg)
	}
	for _, r := range c.Resources {
		algs = append(algs, r.AccessTokenAlg)
	}
	return slices.DeleteFunc(algs, func(alg string) bool { return alg == "" })
}

// fileClients are the relying parties of the file, with their secrets' hashes.
func fileClients(c *config.Config) ([]store.Client, config.Problems) {
	var problems config.Problems
	list := make([]store.Client, 0, len(c.Clients))
	for i, cl := range c.Clients {
		at := fmt.Sprintf("$.clients[%d]", i)
		for _, file := range secretFiles(cl) {
			text, err := config.ReadSecret(file.path)
			if err != nil {
				problems = append(problems, c.Problem(at+"."+file.key, err.Error(), ""))
				continue
			}
			cl.SecretHashes = append(cl.SecretHashes, secret.Hash(text))
		}
		key, keysErr := readKeys(&cl)
		if keysErr != nil {
			problems = append(problems, c.Problem(at+"."+key, keysErr.Error(), ""))
			cl.JWKS = []byte("{}") // there are some
		}
		for _, err := range clients.Check(&cl) {
			field, text, ok := strings.Cut(err.Error(), ": ")
			if !ok || strings.Contains(field, " ") {
				field, text = "client_id", err.Error()
			}
			if field == "jwks" && keysErr != nil {
				continue // has been said
			}
			problems = append(problems, c.Problem(at+"."+field, text, ""))
		}
		list = append(list, cl)
	}
	return list, problems
}

// readKeys puts the public keys of a relying party in the one form in which they are
// used; key names what an error is about.
func readKeys(cl *store.Client) (key string, err error) {
	text := []byte(cl.JWKS)
	switch key = "jwks"; {
	case cl.JWKSFile != "" && (len(cl.JWKS) > 0 || cl.JWKSURI != ""):
		return "jwks_file", errors.New("there is jwks or jwks_uri too; only one of them counts")
	case cl.JWKSFile != "":
		key = "jwks_file"
		if text, err = os.ReadFile(cl.JWKSFile); err != nil {
			return key, err
		}
	case len(text) == 0:
		return key, nil
	}
	cl.JWKS, err = proof.ReadKeys(text)
	return key, err
}

// secretFile is a key of a client, and the file it names.
type secretFile struct{ key, path string }

// secretFiles are those that a client has, the one in use first.
func secretFiles(cl store.Client) []secretFile {
	files := []secretFile{{"client_secret_file", cl.ClientSecretFile}, {"next_client_secret_file", cl.NextClientSecretFile}}
	return slices.DeleteFunc(files, func(f secretFile) bool { return f.path == "" })
}
