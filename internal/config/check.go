package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"reflect"
	"strconv"
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
	k.passwords()
	k.smtp()
	k.factors()
	k.limits()
	k.sessions()
	k.ldap()
	k.upstreams()
	k.clients()
	k.forwardAuth()
	k.trustedByAll()
	k.file("$.brand.logo", c.Brand.Logo)
	k.file("$.brand.logo_dark", c.Brand.LogoDark)
	k.file("$.registration.initial_access_token_file", c.Registration.InitialAccessTokenFile)
	return k.found
}

type checks struct {
	c     *Config
	found Problems
}

func (k *checks) add(path, text, hint string) {
	k.found = append(k.found, k.c.Problem(path, text, hint))
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
	_, port, err := net.SplitHostPort(k.c.Listen)
	if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
		k.add("$.listen", fmt.Sprintf("%q is not host:port", k.c.Listen), "127.0.0.1:8080 for one address, :8080 for all")
	}
	if k.c.MetricsListen != "" {
		_, port, err := net.SplitHostPort(k.c.MetricsListen)
		if _, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil {
			k.add("$.metrics_listen", fmt.Sprintf("%q is not host:port", k.c.MetricsListen), "127.0.0.1:9090")
		} else if k.c.MetricsListen == k.c.Listen {
			k.add("$.metrics_listen", "is the same as listen", "a port of its own, which the public does not reach: 127.0.0.1:9090")
		}
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
	if k.c.lines["$.kerberos.krb5_conf"] > 0 { // the default may be missing, a file that is named may not
		k.file("$.kerberos.krb5_conf", k.c.Kerberos.Krb5Conf)
	}
	if k.c.Kerberos.MaxFailures == 0 {
		k.add("$.kerberos.max_failures", "is zero", "at least 1: the first guess is a guess too")
	}
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

func (k *checks) factors() {
	for _, p := range k.c.Factors.Problems() {
		k.add(fmt.Sprintf("$.factors[%d].%s", p.Rule, p.Field), p.Text, p.Hint)
	}
}

func (k *checks) limits() {
	for name, n := range map[string]int{"per_address": k.c.Limits.PerAddress, "per_address_inside": k.c.Limits.PerAddressInside} {
		if n < 0 {
			k.add("$.limits."+name, "is less than zero", "0 for no limit")
		}
	}
}

func (k *checks) sessions() {
	l := k.c.Lifetimes
	for _, p := range k.c.Sessions.Problems(l.SessionIdle.D(), l.SessionAbsolute.D()) {
		k.add(fmt.Sprintf("$.sessions[%d].%s", p.Rule, p.Field), p.Text, p.Hint)
	}
}

func (k *checks) forwardAuth() {
	for _, p := range k.c.ForwardAuth.Problems(k.c.IssuerURL()) {
		k.add(fmt.Sprintf("$.forward_auth[%d].%s", p.Site, p.Field), p.Text, p.Hint)
	}
	if len(k.c.ForwardAuth) > 0 && len(k.c.TrustedProxies) == 0 {
		k.add("$.forward_auth", "needs trusted_proxies", "the addresses of the proxies in front of these sites: nobody else may ask who somebody is")
	}
}

// trustedByAll: a proxy says who asks and from where, so nobody may be one by chance.
func (k *checks) trustedByAll() {
	for i, p := range k.c.TrustedProxies {
		if len(k.c.ForwardAuth) > 0 && p.Bits() == 0 {
			k.add(fmt.Sprintf("$.trusted_proxies[%d]", i), "is every address there is: whoever asks could say from where a request comes, and for which site", "the addresses of the proxies in front of these sites")
		}
	}
}

func (k *checks) ldap() {
	for _, p := range k.c.LDAP.Problems() {
		k.add("$.ldap."+p.Field, p.Text, p.Hint)
	}
	k.file("$.ldap.password_file", k.c.LDAP.PasswordFile)
	k.file("$.ldap.ca_file", k.c.LDAP.CAFile)
}

// clients checks what concerns the file; package oidc knows each client's rules.
func (k *checks) clients() {
	seen := map[string]bool{}
	for i, c := range k.c.Clients {
		path := fmt.Sprintf("$.clients[%d]", i)
		if c.ClientID != "" && seen[c.ClientID] {
			k.add(path+".client_id", fmt.Sprintf("%q is there twice", c.ClientID), "")
		}
		seen[c.ClientID] = true
		k.file(path+".client_secret_file", c.ClientSecretFile)
	}
}
