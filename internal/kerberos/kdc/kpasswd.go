package kdc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"github.com/jcmturner/gokrb5/v8/types"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
	"idp/internal/secret"
)

// kpasswdVersion is that of the message "change password", RFC 3244 §2.
const kpasswdVersion = 1

// kpasswdTimeout bounds one server that has taken the connection.
const kpasswdTimeout = 5 * time.Second

// ChangePassword sets a person's password at the realm's kpasswd server, RFC
// 3244, proved by the old one, which may have expired. Servers are asked one after
// the other, and no second one once the first has heard the new password: nobody
// could tell what came of it. PASSWORD_REFUSED when the server did not take it,
// with its words in the detail.
func (c *Client) ChangePassword(ctx context.Context, client wire.Principal, old, next secret.String) error {
	creds, err := c.loginToChange(ctx, client, old)
	if err != nil {
		return err
	}
	servers, err := c.kpasswdServers(ctx, client.Realm)
	if err != nil {
		return &reason.Error{Reason: reason.Unreachable, Detail: "kpasswd server of " + client.Realm, Err: err}
	}
	var errs []error
	for _, e := range servers {
		conn, err := (&net.Dialer{Timeout: HedgeGuessAfter}).DialContext(ctx, e.network, e.addr)
		if err == nil {
			err = c.sendPassword(ctx, conn, creds, next)
		}
		if errors.Is(err, syscall.ECONNREFUSED) || isDial(err) { // nobody heard it: UDP tells so late
			errs = append(errs, fmt.Errorf("%s %s: %w", e.network, e.addr, err))
			continue
		}
		return err
	}
	return &reason.Error{Reason: reason.Unreachable, Detail: "kpasswd server of " + client.Realm + ", so the password was not changed", Err: errors.Join(errs...)}
}

// isDial reports whether a connection was never made.
func isDial(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// kpasswdServers lists where to go: krb5.conf's kpasswd_server, the hosts of its
// admin_server, the DNS, the KDCs' own hosts; each by TCP, which tells at once
// whether anybody is there, then by UDP.
func (c *Client) kpasswdServers(ctx context.Context, realm string) (out []endpoint, err error) {
	conf, err := loadKrb5Conf(c.config.Krb5Conf)
	if err != nil {
		return nil, err
	}
	servers := conf.kpasswd[realm]
	if len(servers) == 0 {
		servers = hosts(conf.admin[realm])
	}
	for _, network := range []string{"tcp", "udp"} {
		found := make([]endpoint, 0, len(servers))
		for _, s := range servers {
			found = append(found, endpoint{network, address(s, kpasswdPort)})
		}
		if len(found) == 0 && conf.dns {
			found = c.lookup(ctx, "kpasswd", network, realm)
		}
		if len(found) == 0 {
			for _, host := range hosts(conf.kdcs[realm]) {
				found = append(found, endpoint{network, address(host, kpasswdPort)})
			}
		}
		out = append(out, found...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no kpasswd server of %s in %s%s", realm, c.config.Krb5Conf, orDNS(conf))
	}
	return out[:min(len(out), maxKDCs)], nil
}

// sendPassword is the one exchange, and closes conn.
func (c *Client) sendPassword(ctx context.Context, conn net.Conn, creds *Credentials, next secret.String) error {
	defer conn.Close()
	ctx, cancel := context.WithTimeout(ctx, kpasswdTimeout)
	defer cancel()
	auth, err := types.NewAuthenticator(creds.Client.Realm, libraryName(creds.Client))
	if err != nil {
		return fmt.Errorf("make authenticator: %w", err)
	}
	if err := auth.GenerateSeqNumberAndSubKey(creds.session.Etype, len(creds.session.Value)); err != nil {
		return fmt.Errorf("make authenticator: %w", err)
	}
	subkey := wire.Key{Etype: auth.SubKey.KeyType, Value: auth.SubKey.KeyValue}
	apReq, err := apReq(creds, auth)
	if err != nil {
		return err
	}
	private, err := wire.Private(subkey, []byte(next.Reveal()), c.config.Now(), uint32(auth.SeqNumber), conn.LocalAddr()) //nolint:gosec // made of 32 bits
	if err != nil {
		return fmt.Errorf("make KRB-PRIV: %w", err)
	}
	reply, err := converse(ctx, conn, kpasswdMessage(apReq, private))
	if err != nil {
		return &reason.Error{Reason: reason.KDCError, Detail: "the kpasswd server did not say whether the password was changed", Err: err}
	}
	return readKpasswdReply(reply, subkey)
}

// kpasswdMessage is the request of RFC 3244 §2.
func kpasswdMessage(apReq, private []byte) []byte {
	b := make([]byte, 0, 6+len(apReq)+len(private))
	b = binary.BigEndian.AppendUint16(b, uint16(cap(b))) //nolint:gosec // a ticket and a password: some KB
	b = binary.BigEndian.AppendUint16(b, kpasswdVersion)
	b = binary.BigEndian.AppendUint16(b, uint16(len(apReq))) //nolint:gosec // as above
	return append(append(b, apReq...), private...)
}

// Results of RFC 3244 §2.
const (
	kpasswdSuccess   = 0
	kpasswdSoftError = 4
)

// readKpasswdReply opens a reply with the key that only the real server can have
// got out of our ticket.
func readKpasswdReply(b []byte, key wire.Key) error {
	bad := func(what string, err error) error {
		return &reason.Error{Reason: reason.KDCError, Detail: "kpasswd: " + what, Err: err}
	}
	if e, isError := wire.ParseError(b); isError {
		return bad(fmt.Sprintf("error %d %s", e.Code, reason.Short(e.Text)), nil)
	}
	if len(b) < 6 || int(binary.BigEndian.Uint16(b)) != len(b) {
		return bad("a reply of another length than it says", nil)
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n > len(b)-6 {
		return bad("an AP-REP longer than the reply", nil)
	}
	private := b[6+n:]
	if n == 0 { // RFC 3244 §2: then a KRB-ERROR follows, which nothing protects
		e, _ := wire.ParseError(private)
		return bad(fmt.Sprintf("error %d %s", e.Code, reason.Short(e.Text)), nil)
	}
	data, err := wire.OpenPrivate(key, private)
	if err != nil {
		return bad("KRB-PRIV", err)
	}
	if len(data) < 2 {
		return bad("no result", nil)
	}
	return kpasswdResult(binary.BigEndian.Uint16(data), data[2:])
}

func kpasswdResult(code uint16, text []byte) error {
	switch code {
	case kpasswdSuccess:
		return nil
	case kpasswdSoftError:
		return reason.Refuse(reason.PasswordRefused, kpasswdText(text))
	}
	return reason.Refuse(reason.KDCError, fmt.Sprintf("kpasswd: result %d: %s", code, kpasswdText(text)))
}

// kpasswdText is the server's explanation: words, or from Active Directory 30
// bytes of its password policy (the same that MIT's kpasswd prints).
func kpasswdText(b []byte) string {
	if len(b) == 30 && b[0] == 0 && b[1] == 0 {
		const days = 24 * 3600 * 10_000_000
		return fmt.Sprintf("the domain wants at least %d characters, not one of the last %d passwords, complexity %v, and %d days between changes",
			binary.BigEndian.Uint32(b[2:]), binary.BigEndian.Uint32(b[6:]), binary.BigEndian.Uint32(b[10:])&1 == 1, binary.BigEndian.Uint64(b[22:])/days)
	}
	return reason.Short(string(b))
}
