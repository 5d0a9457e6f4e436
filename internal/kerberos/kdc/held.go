package kdc

import (
	"strings"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Held makes Credentials of a ticket-granting ticket (DER) that another program got
// from the KDCs of realm, such as kinit.
func (c *Client) Held(client wire.Principal, realm string, tgt []byte, session wire.Key) (*Credentials, error) {
	var d wire.Decoder
	if d.Ticket(tgt); d.Err != nil { // before the library sees it
		return nil, &reason.Error{Reason: reason.Malformed, Detail: "ticket-granting ticket", Err: d.Err}
	}
	creds := &Credentials{Client: client}
	return creds, c.setTGT(creds, realm, tgt, session)
}

// RealmOf is the realm of a host's services as [domain_realm] of krb5.conf has it: of
// the host itself, else of the nearest domain around it; empty if there is none.
func (c *Client) RealmOf(host string) (string, error) {
	conf, err := loadKrb5Conf(c.config.Krb5Conf)
	if err != nil {
		return "", err
	}
	for name := strings.ToLower(host); ; {
		if realm := conf.domains[name]; realm != "" {
			return realm, nil
		}
		dot := strings.Index(name, ".")
		switch {
		case dot < 0:
			return "", nil
		case dot == 0:
			name = name[1:]
		default:
			name = name[dot:]
		}
	}
}

// DefaultCache is default_ccache_name of krb5.conf, as it is written there: where
// kinit puts tickets when KRB5CCNAME does not say. Empty if it is not set.
func (c *Client) DefaultCache() (string, error) {
	conf, err := loadKrb5Conf(c.config.Krb5Conf)
	if err != nil {
		return "", err
	}
	return conf.ccache, nil
}

// KCMSocket is kcm_socket of krb5.conf, the path of the server of credential caches;
// empty if it is not set.
func (c *Client) KCMSocket() (string, error) {
	conf, err := loadKrb5Conf(c.config.Krb5Conf)
	if err != nil {
		return "", err
	}
	return conf.kcm, nil
}
