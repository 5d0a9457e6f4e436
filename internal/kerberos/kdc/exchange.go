package kdc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jcmturner/gokrb5/v8/iana/errorcode"

	"idp/internal/kerberos/wire"
	"idp/internal/reason"
)

// Bounds of talking to KDCs.
const (
	maxReply = 256 * 1024 // bytes of one reply
	maxKDCs  = 16         // tried for one request
)

// How long a KDC may say nothing until the next one is asked as well: the hedge
// of Exchange.
const (
	HedgeAfter = 300 * time.Millisecond
	// A request that carries a proof of the password is a guess that each KDC
	// counts, so a second one is not asked that easily.
	HedgeGuessAfter = 2 * time.Second
)

// endpoint is one way to a KDC.
type endpoint struct{ network, addr string }

// memory remembers by which way a realm answered last, so that a KDC that
// hangs costs its delay once and not at every login.
type memory struct {
	mu   sync.Mutex
	last map[string]endpoint
}

func (m *memory) get(realm string) endpoint {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last[realm]
}

func (m *memory) set(realm string, e endpoint) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.last == nil {
		m.last = map[string]endpoint{}
	}
	m.last[realm] = e
}

// endpoints lists the ways to a realm's KDCs, best first: every KDC by the
// preferred transport, then by the other; the one that answered last leads.
func (c *Client) endpoints(ctx context.Context, realm string, size int) ([]endpoint, error) {
	conf, err := loadKrb5Conf(c.config.Krb5Conf)
	if err != nil {
		return nil, err
	}
	networks := []string{"udp", "tcp"}
	if size > conf.udpLimit {
		networks = []string{"tcp", "udp"}
	}
	var out []endpoint
	last := c.last.get(realm)
	for _, network := range networks {
		for _, kdc := range conf.kdcs[realm] {
			out = append(out, endpoint{network, address(kdc, kdcPort)})
		}
		if len(conf.kdcs[realm]) == 0 && conf.dns {
			out = append(out, c.lookup(ctx, "kerberos", network, realm)...)
		}
	}
	for i, e := range out {
		if e == last {
			copy(out[1:i+1], out[:i])
			out[0] = last
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no KDC of %s in %s%s", realm, c.config.Krb5Conf, orDNS(conf))
	}
	return out[:min(len(out), maxKDCs)], nil
}

// orDNS says for an error that the DNS was asked as well.
func orDNS(conf *krb5Conf) string {
	if conf.dns {
		return " or the DNS"
	}
	return ", which says not to ask the DNS"
}

// lookup asks the DNS, RFC 4120 §7.2.3.2. No answer is an empty one.
func (c *Client) lookup(ctx context.Context, service, network, realm string) (out []endpoint) {
	_, records, err := c.config.Resolver.LookupSRV(ctx, service, network, realm)
	if err != nil {
		return nil
	}
	for _, r := range records {
		host := strings.TrimSuffix(r.Target, ".")
		if host == "" {
			continue // RFC 2782: the service is decidedly not available
		}
		out = append(out, endpoint{network, net.JoinHostPort(host, strconv.Itoa(int(r.Port)))})
	}
	return out
}

// Exchange sends one request to a realm's KDCs and returns the first reply. The
// next KDC is asked when one fails, or has said nothing for the time hedge; ctx
// bounds the whole. The goroutines it starts end with it. A KRB-ERROR is a reply,
// too, and is told apart by whoever knows what was asked.
func (c *Client) Exchange(ctx context.Context, realm string, req []byte, hedge time.Duration) ([]byte, error) {
	ways, err := c.endpoints(ctx, realm, len(req))
	if err != nil {
		return nil, &reason.Error{Reason: reason.Unreachable, Detail: "KDC of " + realm, Err: err}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type answer struct {
		from  endpoint
		reply []byte
		err   error
	}
	answers := make(chan answer, len(ways))
	next, running := 0, 0
	start := func() {
		e := ways[next]
		next, running = next+1, running+1
		go func() {
			reply, err := c.send(ctx, e, req)
			answers <- answer{e, reply, err}
		}()
	}
	start()
	timer := time.NewTicker(hedge)
	defer timer.Stop()
	var errs []error
	for running > 0 {
		select {
		case <-ctx.Done():
			errs = append(errs, ctx.Err())
			return nil, &reason.Error{Reason: reason.Unreachable, Detail: "KDC of " + realm, Err: errors.Join(errs...)}
		case <-timer.C:
		case got := <-answers:
			running--
			if got.err == nil {
				c.last.set(realm, got.from)
				return got.reply, nil
			}
			errs = append(errs, fmt.Errorf("%s %s: %w", got.from.network, got.from.addr, got.err))
			timer.Reset(hedge)
		}
		if next < len(ways) {
			start()
		}
	}
	return nil, &reason.Error{Reason: reason.Unreachable, Detail: "KDC of " + realm, Err: errors.Join(errs...)}
}

// send asks one KDC. An answer that is none, or that says "not now", is an error,
// so that the next one is asked.
func (c *Client) send(ctx context.Context, e endpoint, req []byte) ([]byte, error) {
	reply, err := c.transfer(ctx, e, req)
	if err != nil {
		return nil, err
	}
	refused, _ := wire.ParseError(reply)
	switch {
	case refused.Code == errorcode.KRB_ERR_RESPONSE_TOO_BIG && e.network == "udp":
		return c.send(ctx, endpoint{"tcp", e.addr}, req)
	case refused.Code == errorcode.KDC_ERR_SVC_UNAVAILABLE:
		return nil, errors.New("the KDC is not available")
	}
	return reply, nil
}

// transfer asks one server over a connection of its own.
func (c *Client) transfer(ctx context.Context, e endpoint, req []byte) ([]byte, error) {
	conn, err := c.dial(ctx, e)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	reply, err := converse(ctx, conn, req)
	if err != nil {
		return nil, err
	}
	if len(reply) == 0 || reply[0] != wire.AppASRep && reply[0] != wire.AppTGSRep && reply[0] != wire.AppError {
		return nil, errors.New("the reply is not Kerberos")
	}
	return reply, nil
}

func (c *Client) dial(ctx context.Context, e endpoint) (net.Conn, error) {
	d := net.Dialer{Resolver: c.config.Resolver}
	return d.DialContext(ctx, e.network, e.addr)
}

// converse is RFC 4120 §7.2.1 (UDP) and §7.2.2 (TCP, a length of 4 bytes first).
func converse(ctx context.Context, conn net.Conn, req []byte) ([]byte, error) {
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, udp := conn.(*net.UDPConn); udp {
		if _, err := conn.Write(req); err != nil {
			return nil, err
		}
		buf := make([]byte, 64*1024)
		n, err := conn.Read(buf)
		return buf[:n], err
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(len(req))) //nolint:gosec // our own request
	if _, err := conn.Write(append(head, req...)); err != nil {
		return nil, err
	}
	if _, err := io.ReadFull(conn, head); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(head)
	if size > maxReply {
		return nil, fmt.Errorf("a reply of %d bytes", size)
	}
	reply := make([]byte, size)
	_, err := io.ReadFull(conn, reply)
	return reply, err
}
