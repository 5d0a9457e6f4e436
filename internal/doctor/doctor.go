// Package doctor looks at an installation and says what is wrong with it, line
// by line: the checks behind `idp doctor` and the admin's diagnosis page.
//
// An installation of Kerberos fails in places that no single program sees: the
// name a browser derives from a URL, the DNS, a certificate at a proxy, the mode
// of a file. Each check looks at one such place as it is now and ends in lines
// that are ok, a warning (it works, or may work, but ...) or failed (somebody
// cannot log in), the last two with what mends it.
//
// Looking changes nothing: no file is made, no schema is migrated, nothing is
// sent but questions; KDCs are asked as the service itself, with the keytab's
// keys. A server may run meanwhile. A configuration with problems is looked at as
// far as it can be read; every check therefore takes its values as they are and
// asks for nothing to be sound. Checks wait for the network and for each other's
// answers, so they run at once, each with a deadline, and are told in the order of
// the list.
package doctor

import (
	"context"
	"crypto/x509"
	"net"
	"net/netip"
	"net/url"
	"time"

	"idp/internal/directory"
	"idp/internal/doctor/look"
	"idp/internal/doctor/realm"
	"idp/internal/doctor/report"
	"idp/internal/doctor/site"
	"idp/internal/kerberos"
	"idp/internal/secret"
	"idp/internal/store"
	"idp/internal/store/database"
)

// Config is what the checks look at, and with what.
type Config struct {
	File     string    // the configuration file; empty: none
	Version  string    // of this program
	Problems []Problem // what is wrong with the file
	Warnings []Problem // what is not good in it, and does not stop a server

	Issuer         string
	Listen         string // host:port
	TLSCertificate string // file; empty: plain HTTP
	TLSKey         string
	TrustedProxies []netip.Prefix
	Database       string
	SecretKeyFile  string
	Clients        []string           // the ids of the relying parties that the file owns
	Sites          []site.Site        // those protected by forward auth
	Kerberos       *kerberos.Config   // nil: no kerberos section
	Directory      *directory.Options // nil: no ldap section

	// Store is the open database of a server that looks at itself; nil: it is
	// opened by Database's name, to be read only.
	Store *store.Store

	// ReadRing reads the key file and compares it with the database, without
	// changing either; fs.ErrNotExist where the first start will make it.
	ReadRing func(context.Context, *store.Store) (*secret.Ring, error)

	Resolver *net.Resolver    // nil: the system's
	Roots    *x509.CertPool   // nil: the system's
	Now      func() time.Time // nil: time.Now
}

// Problem is something wrong with the configuration file.
type Problem struct {
	Where string // idp.yaml:3
	Key   string // kerberos.realms[0].name, or the environment variable
	Text  string
	Hint  string
}

// check is one place to look at. Its lines get its name.
type check struct {
	name string
	run  func(*exam, context.Context) []report.Line
}

// checks in the order in which an admin should read them: a line further down
// often has its cause further up.
var checks = []check{
	{"config", (*exam).config},
	{"issuer", (*exam).checkIssuer},
	{"server", (*exam).server},
	{"certificate", (*exam).certificate},
	{"proxies", (*exam).proxies},
	{"inside", (*exam).inside},
	{"keytab", atRealm((*realm.Exam).Keytab)},
	{"spn", atRealm((*realm.Exam).SPN)},
	{"realms", (*exam).realms},
	{"kdc", atRealm((*realm.Exam).KDCs)},
	{"clock", atRealm((*realm.Exam).Clock)},
	{"key_version", atRealm((*realm.Exam).KeyVersion)},
	{"channel_binding", (*exam).channelBinding},
	{"offer_to", (*exam).offerTo},
	{"password", (*exam).password},
	{"directory", (*exam).directory},
	{"database", (*exam).database},
	{"secret_key", (*exam).secretKey},
	{"signing_keys", (*exam).signingKeys},
	{"clients", (*exam).clients},
	{"sites", (*exam).sites},
}

// atRealm is a check that looks at the Kerberos side.
func atRealm(run func(*realm.Exam, context.Context) []report.Line) func(*exam, context.Context) []report.Line {
	return func(e *exam, ctx context.Context) []report.Line { return run(e.realm, ctx) }
}

// exam is one run of the checks, with what several of them look at.
type exam struct {
	Config
	issuer  *url.URL
	network look.Network

	db    func() (*store.Store, database.Schema, error)
	shown func() ([]*x509.Certificate, error) // by the issuer's address, the server's own first

	discovery func() []report.Line // is the issuer's address idp's?

	realm *realm.Exam
}
