package realm

import (
	"context"
	"errors"
	"fmt"
	"time"

	"idp/internal/doctor/report"
	"idp/internal/kerberos/wire"
)

// Bounds of the difference between two clocks. Kerberos allows five minutes (RFC
// 4120 §1.6); a clock that is half a minute off already is not being set.
const (
	oddOffset   = 30 * time.Second
	fatalOffset = 5 * time.Minute
)

// Clock compares our clock with that of each KDC, by which all members of the
// domain set theirs.
func (e *Exam) Clock(context.Context) (lines []report.Line) {
	for _, r := range e.kdcs() {
		told := false
		for _, s := range r.kdcs {
			if offset, ok := s.offset(); ok {
				told = true
				line := judgeOffset(fmt.Sprintf("the KDC %s of %s", s.addr, r.realm), offset)
				line.Details = map[string]any{"realm": r.realm, "server": s.addr, "offset_ms": offset.Milliseconds()}
				lines = append(lines, line)
			}
		}
		if !told && r.usable() {
			lines = append(lines, e.untold(r.realm))
		}
	}
	return lines
}

// offset is how far the server's clock is ahead of ours; ok is false where neither
// transport told, or it is another realm's.
func (s *server) offset() (offset time.Duration, ok bool) {
	for _, p := range []*probe{s.udp, s.tcp} {
		if p.answered() && p.HasTime && !p.WrongRealm {
			return p.Offset, true
		}
	}
	return 0, false
}

// untold is a realm whose KDCs answered, and none said what time it is: what they
// said to a login with the keytab's keys may.
func (e *Exam) untold(realm string) report.Line {
	for _, t := range e.tickets() {
		if t.realm != realm {
			continue
		}
		for _, tried := range t.tried {
			if off, ok := offsetIn(tried.Err, t.asked); ok {
				return judgeOffset("the KDC of "+realm, off)
			}
		}
		for _, o := range t.byHost {
			if off, ok := offsetIn(o.refused, t.asked); ok {
				return judgeOffset("the KDC of "+realm, off)
			}
		}
	}
	return report.Warning("compare them by hand: chronyc tracking here, date or w32tm /query /status there", "the KDC of %s does not say what time it is there: the clocks were not compared", realm)[0]
}

// offsetIn reads the clock that a KRB-ERROR brings along (RFC 4120 §5.9.1, stime).
func offsetIn(err error, asked time.Time) (time.Duration, bool) {
	var said wire.KRBError
	if !errors.As(err, &said) || said.Time.IsZero() {
		return 0, false
	}
	return said.Time.Sub(asked), true
}

// judgeOffset takes how far the other clock is ahead.
func judgeOffset(of string, offset time.Duration) report.Line {
	const hint = "chronyc makestep here, or w32tm /resync on the domain controller, whichever is wrong: chronyc tracking and w32tm /query /status tell"
	way, off := "behind", offset.Abs()
	if offset < 0 {
		way = "ahead of"
	}
	switch {
	case off > fatalOffset:
		return report.Failed(hint, "this machine is %s %s %s; Kerberos allows 5 minutes: tickets and passwords are refused", spoken(off), way, of)[0]
	case off > oddOffset:
		return report.Warning(hint, "this machine is %s %s %s; from 5 minutes on everybody is refused", spoken(off), way, of)[0]
	case off < time.Second:
		return report.OK("less than a second off %s", of)[0]
	default:
		return report.OK("%s %s %s", spoken(off), way, of)[0]
	}
}

// spoken is a time as people say it.
func spoken(d time.Duration) string {
	if d = d.Round(time.Second); d < 2*time.Minute {
		return fmt.Sprintf("%.0f seconds", d.Seconds())
	}
	return fmt.Sprintf("%.0f minutes", d.Minutes())
}
