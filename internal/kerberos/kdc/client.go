// Package kdc talks to KDCs: it finds them as krb5.conf and the DNS say, and gets
// tickets from them by a person's password.
//
// A KDC is two servers in one (RFC 4120 §1.1). The authentication server gives a
// ticket-granting ticket to whoever can read a reply sealed with the person's key,
// which the password makes (Login); the ticket-granting server takes that ticket
// and gives one for a service (Ticket), or for another realm's ticket-granting
// server, which is how realms trust each other.
//
// Everything that comes back is from the network, and is believed only as far as
// a key we know opens it. A refusal is a *reason.Error.
package kdc

import (
	"net"
	"time"

	"github.com/jcmturner/gokrb5/v8/config"
	"github.com/jcmturner/gokrb5/v8/iana/etypeID"
	"github.com/jcmturner/gokrb5/v8/messages"
	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/kerberos/wire"
)

// askLifetime is asked for; the KDC shortens it to what it allows.
const askLifetime = 24 * time.Hour

// Config is everything a Client needs.
type Config struct {
	Krb5Conf     string                 // path; read anew for every request
	EtypeAllowed func(etype int32) bool // the policy on encryption types
	Now          func() time.Time       // nil: time.Now
	Resolver     *net.Resolver          // nil: the system's
}

// Client is a client of KDCs. Safe for concurrent use.
type Client struct {
	config Config
	last   memory
}

// New makes a Client.
func New(c Config) *Client {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Resolver == nil {
		c.Resolver = net.DefaultResolver
	}
	return &Client{config: c}
}

// Credentials are a ticket-granting ticket and what is needed to use it. Not
// safe for concurrent use.
type Credentials struct {
	Client wire.Principal

	realm   string // whose KDC takes the ticket
	session wire.Key
	tgt     messages.Ticket
}

// libraryConfig is what the library's requests want to know.
func (c *Client) libraryConfig() *config.Config {
	var etypes []int32
	for _, etype := range []int32{
		etypeID.AES256_CTS_HMAC_SHA1_96, etypeID.AES128_CTS_HMAC_SHA1_96,
		etypeID.AES256_CTS_HMAC_SHA384_192, etypeID.AES128_CTS_HMAC_SHA256_128,
		etypeID.RC4_HMAC,
	} {
		if c.config.EtypeAllowed(etype) {
			etypes = append(etypes, etype)
		}
	}
	conf := config.New()
	conf.LibDefaults.DefaultTktEnctypeIDs = etypes
	conf.LibDefaults.DefaultTGSEnctypeIDs = etypes
	conf.LibDefaults.TicketLifetime = askLifetime
	return conf
}

func libraryName(p wire.Principal) types.PrincipalName {
	return types.PrincipalName{NameType: p.NameType, NameString: p.Components}
}
