package doctor

import (
	"context"
	"fmt"
	"time"
)

// Bounds of the difference between two clocks. Kerberos allows five minutes (RFC
// 4120 §1.6); a clock that is half a minute off already is not being set.
const (
	oddOffset   = 30 * time.Second
	fatalOffset = 5 * time.Minute
)

// clock compares our clock with that of each KDC, by which all members of the
// domain set theirs.
func (e *exam) clock(context.Context) (lines []Result) {
	for _, r := range e.kdcs() {
		for _, s := range r.kdcs {
			if p := s.best(); p != nil && p.HasTime && !p.WrongRealm {
				line := judgeOffset(fmt.Sprintf("the KDC %s of %s", s.addr, r.realm), p.Offset)
				line.Details = map[string]any{"realm": r.realm, "server": s.addr, "offset_ms": p.Offset.Milliseconds()}
				lines = append(lines, line)
			}
		}
	}
	return lines
}

// judgeOffset takes how far the other clock is ahead.
func judgeOffset(of string, offset time.Duration) Result {
	const hint = "chronyc makestep here, or w32tm /resync on the domain controller, whichever is wrong: chronyc tracking and w32tm /query /status tell"
	way, off := "behind", offset.Abs()
	if offset < 0 {
		way = "ahead of"
	}
	switch {
	case off > fatalOffset:
		return failed(hint, "this machine is %s %s %s; Kerberos allows 5 minutes: tickets and passwords are refused", spoken(off), way, of)[0]
	case off > oddOffset:
		return warning(hint, "this machine is %s %s %s; from 5 minutes on everybody is refused", spoken(off), way, of)[0]
	case off < time.Second:
		return ok("less than a second off %s", of)[0]
	default:
		return ok("%s %s %s", spoken(off), way, of)[0]
	}
}

// spoken is a time as people say it.
func spoken(d time.Duration) string {
	if d = d.Round(time.Second); d < 2*time.Minute {
		return fmt.Sprintf("%.0f seconds", d.Seconds())
	}
	return fmt.Sprintf("%.0f minutes", d.Minutes())
}
