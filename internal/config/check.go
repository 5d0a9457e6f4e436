package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"strings"

	"idp/internal/kerberos"
)

// check returns every problem of a decoded configuration; none of them changes
// anything on disk or asks the network.
func (c *Config) check() Problems {
	k := &checks{c: c}
	k.issuer()
	k.listen()
	k.database()
	k.lifetimes()
	k.kerberos()
	k.users()
	k.clients()
	k.file("$.brand.logo", c.Brand.Logo)
	return k.found
}

type checks struct {
	c     *Config
	found Problems
}

func (k *checks) add(path, text, hint string) {
	k.found = append(k.found, Problem{Line: k.c.lines[path], Key: key(path), Text: text, Hint: hint})
}

// file checks that a file that is named can be read.
func (k *checks) file(path, name string) {
	if name == "" {
		return
	}
	f, err := os.Open(name) //nolint:gosec // the admin names the files
	if err != nil {
		k.add(path, err.Error(), "paths are relative to the folder of the configuration file")
		return
	}
	_ = f.Close()
}

func (k *checks) issuer() {
	u, err := url.Parse(k.c.Issuer)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		k.add("$.issuer", fmt.Sprintf("%q is not a URL", k.c.Issuer), "write it as people reach it: https://sso.example.com")
	case u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		k.add("$.issuer", "has more than scheme, host and port", "no path and no slash at the end: "+u.Scheme+"://"+u.Host)
	case u.Scheme == "http" && !local(u.Hostname()):
		k.add("$.issuer", "http is for localhost, *.localhost and loopback addresses only", "use https, here by tls: or at a proxy in front")
	}
}

func local(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || (err == nil && addr.IsLoopback())
}

func (k *checks) listen() {
	if _, _, err := net.SplitHostPort(k.c.Listen); err != nil {
		k.add("$.listen", fmt.Sprintf("%q is not host:port", k.c.Listen), "127.0.0.1:8080 for one address, :8080 for all")
	}
	if (k.c.TLS.Certificate == "") != (k.c.TLS.Key == "") {
		k.add("$.tls", "needs both certificate and key", "")
	}
	k.file("$.tls.certificate", k.c.TLS.Certificate)
	k.file("$.tls.key", k.c.TLS.Key)
}

func sqliteFile(database string) (string, bool) { return strings.CutPrefix(database, "sqlite:") }

func (k *checks) database() {
	if file, ok := sqliteFile(k.c.Database); ok && file != "" {
		return
	}
	u, err := url.Parse(k.c.Database)
	if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
		k.add("$.database", "is neither sqlite:FILE nor postgres://…", "sqlite:idp.db for one node")
		return
	}
	if _, has := u.User.Password(); has {
		k.add("$.database", "holds a password", "put it into a file named by PGPASSFILE; URLs end up in logs")
	}
}

func (k *checks) lifetimes() {
	v := reflect.ValueOf(k.c.Lifetimes)
	for name, i := range fieldsOf(v.Type()) {
		if d, ok := v.Field(i).Interface().(Duration); ok && d <= 0 {
			k.add("$.lifetimes."+name, "is not more than zero", "")
		}
	}
}

func (k *checks) kerberos() {
	for _, err := range k.c.Kerberos.Problems() {
		var e *kerberos.ConfigError
		if errors.As(err, &e) {
			k.add(e.Path, e.Problem, e.Hint)
		} else {
			k.add("$.kerberos", err.Error(), "")
		}
	}
}

func (k *checks) users() {
	seen := map[string]bool{}
	for i, u := range k.c.Users {
		path := fmt.Sprintf("$.users[%d]", i)
		if u.Name == "" || seen[u.Name] {
			k.add(path+".name", "is missing or there twice", "")
		}
		seen[u.Name] = true
		if u.PasswordFile == "" {
			k.add(path+".password_file", "is missing", "a file with the password on its first line")
		}
		k.file(path+".password_file", u.PasswordFile)
	}
}

// clients checks what concerns the file; package oidc checks each client's rules.
func (k *checks) clients() {
	seen := map[string]bool{}
	for i, c := range k.c.Clients {
		path := fmt.Sprintf("$.clients[%d]", i)
		switch {
		case c.ClientID == "":
			k.add(path+".client_id", "is missing", "")
		case seen[c.ClientID]:
			k.add(path+".client_id", fmt.Sprintf("%q is there twice", c.ClientID), "")
		}
		seen[c.ClientID] = true
		switch {
		case c.Public() && c.ClientSecretFile != "":
			k.add(path+".client_secret_file", "a public client (token_endpoint_auth_method: none) has no secret", "")
		case !c.Public() && c.ClientSecretFile == "" && c.TokenEndpointAuthMethod != "private_key_jwt":
			k.add(path+".client_secret_file", "is missing", "a file with the secret on its first line, or token_endpoint_auth_method: none for a public client")
		}
		k.file(path+".client_secret_file", c.ClientSecretFile)
	}
}

// LineOf is the line of a key of clients[i], for problems found elsewhere.
func (c *Config) LineOf(path string) int { return c.lines[path] }
