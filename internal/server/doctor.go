package server

import (
	"context"
	"strconv"

	"idp/internal/config"
	"idp/internal/doctor"
	"idp/internal/doctor/site"
	"idp/internal/forwardauth"
	"idp/internal/forwardauth/sites"
	"idp/internal/secret"
	"idp/internal/store"
)

// Doctor is what package doctor looks at in a configuration, which may have
// problems: those config.Load found and those of Check.
func Doctor(c *config.Config, problems config.Problems, version string) doctor.Config {
	d := doctor.Config{
		File: c.Path, Version: version,
		Issuer: c.Issuer, Listen: c.Listen, TLSCertificate: c.TLS.Certificate, TLSKey: c.TLS.Key, TrustedProxies: c.TrustedProxies,
		Database: c.Database, SecretKeyFile: c.SecretKeyFile,
		ReadRing: func(ctx context.Context, st *store.Store) (*secret.Ring, error) {
			return ReadRing(ctx, st, c.SecretKeyFile)
		},
	}
	for _, cl := range c.Clients {
		d.Clients = append(d.Clients, cl.ClientID)
	}
	for _, s := range c.ForwardAuth {
		d.Clients = append(d.Clients, s.Host) // a relying party, too
		d.Sites = append(d.Sites, site.Site{
			Origin: s.Origin(c.IssuerURL()), Ask: forwardauth.PathAsk, Start: sites.PathStart, Header: forwardauth.HeaderReason, Twice: forwardauth.CookiesTwice(), Open: s.OpenToAnyone("/"),
		})
	}
	if c.HasKerberos {
		d.Kerberos = &c.Kerberos
	}
	if c.LDAP.Configured() {
		o := directoryOptions(c)
		d.Directory = &o
	}
	d.Problems = DoctorProblems(problems)
	d.Warnings = DoctorProblems(Warnings(c))
	return d
}

// DoctorProblems writes problems of the file as package doctor takes them.
func DoctorProblems(problems config.Problems) (list []doctor.Problem) {
	for _, p := range problems {
		where := p.File
		if p.Line > 0 {
			where += ":" + strconv.Itoa(p.Line)
		}
		list = append(list, doctor.Problem{Where: where, Key: p.Key, Text: p.Text, Hint: p.Hint})
	}
	return list
}
