package realm

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"idp/internal/doctor/look"
	"idp/internal/doctor/report"
	"idp/internal/kerberos/kdc"
)

// KDCs asks: can idp ask the KDCs of the realms it trusts? Tickets need none of
// them, passwords do; and where idp does not get through, clients on the same
// network often do not either.
func (e *Exam) KDCs(ctx context.Context) (lines []report.Line) {
	if e.Kerberos == nil {
		return nil
	}
	perRealm := make([][]report.Line, len(e.kdcs()))
	var all sync.WaitGroup
	for i, r := range e.kdcs() {
		all.Go(func() { perRealm[i] = append(e.judgeRealm(r), e.kpasswd(ctx, r)...) })
	}
	all.Wait()
	for _, r := range perRealm {
		lines = append(lines, r...)
	}
	return lines
}

func (e *Exam) judgeRealm(r *realmKDCs) (lines []report.Line) {
	if r.err != nil {
		return report.Failed(fmt.Sprintf("add a line kdc = dc1.%[1]s to %[2]s under [realms] in %[3]s; or make the DNS know it: dig +short SRV _kerberos._udp.%[1]s SRV _kerberos._tcp.%[1]s",
			strings.ToLower(r.realm), r.realm, e.Kerberos.Krb5Conf), "%s: %v: no password can be checked", r.realm, r.err)
	}
	for _, s := range r.kdcs {
		lines = append(lines, e.judgeKDC(r, s))
	}
	return lines
}

func (e *Exam) judgeKDC(r *realmKDCs, s *server) report.Line {
	line := report.Line{Level: report.LevelOK, Details: s.details(r.realm)}
	say := func(level report.Level, hint, format string, args ...any) report.Line {
		line.Level, line.Hint, line.Text = level, hint, r.realm+": "+s.addr+" "+fmt.Sprintf(format, args...)
		return line
	}
	host, port, _ := net.SplitHostPort(s.addr)
	best := s.best()
	switch {
	case best == nil:
		level, more := report.LevelFailed, "; no other KDC answers: no password can be checked"
		if r.usable() {
			level, more = report.LevelWarning, ": idp and clients lose time on it"
		}
		return say(level, fmt.Sprintf("nc -vz %s %s; is it up, and does the firewall pass UDP and TCP %s to it? It is named by %s", host, port, port, s.source),
			"does not answer (%s)%s", s.silences(), more)
	case best.WrongRealm:
		return say(report.LevelFailed, fmt.Sprintf("name a KDC of %s under [realms] in %s, or trust the realm this one serves: kerberos.realms", r.realm, s.source),
			"is a KDC, but of another realm: wrong realm")
	case s.udp.answered() && s.tcp != nil && !s.tcp.answered():
		return say(report.LevelWarning, "let the firewall pass TCP "+port+" to it",
			"answers over UDP, not over TCP (%s): answers about people in many groups do not fit into UDP", silence(s.tcp.err))
	case s.tcp.answered() && s.udp != nil && !s.udp.answered() && !s.tcpFirst:
		return say(report.LevelWarning, fmt.Sprintf("udp_preference_limit = 1 in [libdefaults] of %s; or let the firewall pass UDP %s to it", e.Kerberos.Krb5Conf, port),
			"answers over TCP, not over UDP (%s): usual, and harmless but for the wait before each question that is asked by UDP first", silence(s.udp.err))
	}
	return say(report.LevelOK, "", "answers over %s (%s)", s.transports(), brief(best.Took))
}

func (s *server) transports() string {
	switch {
	case s.udp.answered() && s.tcp.answered():
		return "UDP and TCP"
	case s.udp.answered():
		return "UDP"
	default:
		return "TCP"
	}
}

func (s *server) silences() string {
	var out []string
	for _, w := range []struct {
		name string
		*probe
	}{{"UDP", s.udp}, {"TCP", s.tcp}} {
		if w.probe != nil && w.err != nil {
			out = append(out, w.name+": "+silence(w.err))
		}
	}
	return strings.Join(out, "; ")
}

func (s *server) details(realm string) map[string]any {
	d := map[string]any{"realm": realm, "server": s.addr, "named_by": s.source}
	for name, p := range map[string]*probe{"udp": s.udp, "tcp": s.tcp} {
		switch {
		case p == nil:
		case p.err != nil:
			d[name] = silence(p.err)
		default:
			d[name+"_ms"], d["error_code"] = p.Took.Milliseconds(), p.Code
		}
	}
	return d
}

// kpasswd: an expired password can be changed on the login page only where the
// server for that answers. Nothing but a connection is asked for.
func (e *Exam) kpasswd(ctx context.Context, r *realmKDCs) []report.Line {
	if !r.usable() {
		return nil // the other lines matter first
	}
	ctx, cancel := context.WithTimeout(ctx, look.PerAsk)
	defer cancel()
	client := e.kdcClient()
	servers, err := client.KpasswdServers(ctx, r.realm)
	var tried []string
	for _, s := range servers {
		if s.Network != "tcp" {
			continue
		}
		if err := connect(ctx, client, s); err != nil {
			tried = append(tried, s.Addr+": "+silence(err))
			continue
		}
		return report.OK("%s: %s takes connections for new passwords (kpasswd)", r.realm, s.Addr)
	}
	if err == nil {
		err = fmt.Errorf("no server for new passwords (kpasswd) answers over TCP (%s)", strings.Join(tried, "; "))
	}
	return report.Warning(fmt.Sprintf("let the firewall pass TCP 464 to the KDC; another server: kpasswd_server in [realms] of %s", e.Kerberos.Krb5Conf),
		"%s: %v: an expired password cannot be changed on the login page", r.realm, err)
}

func connect(ctx context.Context, client *kdc.Client, s kdc.Server) error {
	ctx, cancel := context.WithTimeout(ctx, perUDP)
	defer cancel()
	conn, err := client.Dial(ctx, s)
	if err != nil {
		return err
	}
	return conn.Close()
}

// brief is a time as people say it.
func brief(d time.Duration) string { return max(d.Round(time.Millisecond), time.Millisecond).String() }
