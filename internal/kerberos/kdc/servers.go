package kdc

import (
	"context"
	"net"
)

// Server is one way to a server of a realm.
type Server struct {
	Network string // udp | tcp
	Addr    string // host:port
	Source  string // who named it: the path of krb5.conf, or DNS
}

// SourceDNS is the Source of servers that SRV records name.
const SourceDNS = "DNS"

// usualRequest is the size of an AS-REQ, by which the order of transports is
// chosen.
const usualRequest = 200

// Servers lists the ways to a realm's KDCs, as Exchange would take them.
func (c *Client) Servers(ctx context.Context, realm string) ([]Server, error) {
	conf, err := loadKrb5Conf(c.config.Krb5Conf)
	if err != nil {
		return nil, err
	}
	ways, err := c.endpoints(ctx, realm, usualRequest)
	return c.sourced(ways, len(conf.kdcs[realm]) > 0), err
}

// KpasswdServers lists the ways to the servers that take a realm's new passwords,
// as ChangePassword would take them.
func (c *Client) KpasswdServers(ctx context.Context, realm string) ([]Server, error) {
	conf, err := loadKrb5Conf(c.config.Krb5Conf)
	if err != nil {
		return nil, err
	}
	ways, err := c.kpasswdServers(ctx, realm)
	return c.sourced(ways, len(conf.kpasswd[realm])+len(conf.admin[realm])+len(conf.kdcs[realm]) > 0), err
}

func (c *Client) sourced(ways []endpoint, inFile bool) (out []Server) {
	source := SourceDNS
	if inFile {
		source = c.config.Krb5Conf
	}
	for _, e := range ways {
		out = append(out, Server{e.network, e.addr, source})
	}
	return out
}

// Dial connects to a server, as the resolver of the configuration finds it.
func (c *Client) Dial(ctx context.Context, s Server) (net.Conn, error) {
	return c.dial(ctx, endpoint{s.Network, s.Addr})
}
