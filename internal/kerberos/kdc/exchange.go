package kdc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
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

// Where none of a realm's KDCs has answered for quietAfter or longer, whoever asks within
// quietFor asks all of them at once, and waits no longer than quietAfter: as soon as one
// answers again it is heard, and until then nobody waits in vain for long.
const (
	quietAfter = time.Second
	quietFor   = 5 * time.Second
)

// memory remembers by which way a realm answered last, so that a KDC that
// hangs costs its delay once and not at every login; and since when none has.
type memory struct {
	mu    sync.Mutex
	last  map[string]endpoint
	quiet map[string]time.Time
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
	delete(m.quiet, realm)
}

// isQuiet reports whether all of a realm's KDCs were asked in vain a moment ago.
func (m *memory) isQuiet(realm string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	at, ok := m.quiet[realm]
	return ok && time.Since(at) < quietFor
}

// inVain notes that a realm's KDCs were asked since then, and none has answered.
func (m *memory) inVain(realm string, since time.Time) {
	if time.Since(since) < quietAfter { // refused at once: nobody waits for that
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.quiet == nil {
		m.quiet = map[string]time.Time{}
	}
	m.quiet[realm] = time.Now()
}

// endpoints lists the ways to a realm's KDCs, best first: every KDC by the
// preferred transport, then by the other, beginning with the one that answered last.
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
	if i := slices.Index(out, last); i > 0 { // those before it were asked in vain
		out = slices.Concat(out[i:], out[:i])
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
	quiet := hedge < HedgeGuessAfter && c.last.isQuiet(realm) // guesses are asked of one after the other
	var cancel context.CancelFunc
	if quiet {
		ctx, cancel = context.WithTimeout(ctx, quietAfter)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	r := &race{c: c, req: req, ways: ways, errs: make([]error, len(ways)), answers: make(chan answer, len(ways))}
	for r.start(ctx); quiet && r.next < len(ways); {
		r.start(ctx)
	}
	began := time.Now()
	won, err := r.wait(ctx, hedge)
	if err == nil {
		c.last.set(realm, ways[won.way])
		return won.reply, nil
	}
	switch {
	case errors.Is(ctx.Err(), context.Canceled) || time.Since(began) < hedge: // whoever asked went away: that says nothing of the KDCs
	case r.next < len(ways): // who asks next begins with those that were not asked
		c.last.set(realm, ways[r.next])
	case !quiet:
		c.last.inVain(realm, began)
	}
	return nil, &reason.Error{Reason: reason.Unreachable, Detail: "KDC of " + realm, Err: err}
}

// race is one request on its way to several KDCs.
type race struct {
	c             *Client
	req           []byte
	ways          []endpoint
	next, running int
	errs          []error // what became of each way that was taken
	answers       chan answer
}

type answer struct {
	way   int
	reply []byte
	err   error
}

// start takes the next way.
func (r *race) start(ctx context.Context) {
	way := r.next
	r.next, r.running = r.next+1, r.running+1
	r.errs[way] = r.failed(way, errors.New("no answer"))
	go func() {
		reply, err := r.c.send(ctx, r.ways[way], r.req)
		r.answers <- answer{way, reply, err}
	}()
}

func (r *race) failed(way int, err error) error {
	return fmt.Errorf("%s %s: %w", r.ways[way].network, r.ways[way].addr, err)
}

// wait is for the first reply. The error tells what became of each way.
func (r *race) wait(ctx context.Context, hedge time.Duration) (answer, error) {
	timer := time.NewTicker(hedge)
	defer timer.Stop()
	for r.running > 0 {
		select {
		case <-ctx.Done():
			return answer{}, errors.Join(append(r.errs[:r.next:r.next], ctx.Err())...)
		case <-timer.C:
		case got := <-r.answers:
			r.running--
			if got.err == nil {
				return got, nil
			}
			if ctx.Err() == nil { // else it was broken off
				r.errs[got.way] = r.failed(got.way, got.err)
			}
			timer.Reset(hedge)
		}
		if r.next < len(r.ways) {
			r.start(ctx)
		}
	}
	return answer{}, errors.Join(r.errs[:r.next]...)
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
