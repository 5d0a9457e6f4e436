package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"idp/internal/config"
	"idp/internal/upstream"
)

// upstreams are the OpenID providers of the file. None of them is asked anything.
func (s *Server) upstreams(c *config.Config) (*upstream.Upstreams, error) {
	o := upstream.Options{Issuer: c.Issuer, Now: s.now}
	for _, entry := range c.Upstreams {
		e, problem := upstreamEntry(entry)
		if problem.err != nil {
			return nil, problem.err
		}
		o.Entries = append(o.Entries, e)
	}
	return upstream.New(o)
}

// entryProblem is what is wrong with a file of an upstream.
type entryProblem struct {
	field string
	err   error
}

// upstreamEntry is an upstream with what its files hold.
func upstreamEntry(c upstream.Config) (e upstream.Entry, p entryProblem) {
	e.Config = c
	if c.ClientSecretFile != "" {
		if e.Secret, p.err = config.ReadSecret(c.ClientSecretFile); p.err != nil {
			return e, entryProblem{"client_secret_file", p.err}
		}
	}
	if c.ClientKeyFile != "" {
		if e.Key, p.err = os.ReadFile(c.ClientKeyFile); p.err == nil {
			p.err = upstream.CheckKey(e.Key)
		}
		if p.err != nil {
			return e, entryProblem{"client_key_file", p.err}
		}
	}
	return e, p
}

// checkUpstreams: whether the files are there, config has looked.
func checkUpstreams(c *config.Config) (problems config.Problems) {
	for i, entry := range c.Upstreams {
		_, p := upstreamEntry(entry)
		var missing *fs.PathError
		if p.err != nil && !errors.As(p.err, &missing) {
			problems = append(problems, c.Problem(fmt.Sprintf("$.upstreams[%d].%s", i, p.field), p.err.Error(), ""))
		}
	}
	return problems
}
