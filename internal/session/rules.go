package session

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"idp/internal/store"
	"idp/internal/web"
)

// Duration is written as in Go: 90s, 5m, 8h.
type Duration = store.Duration

// Rule says how long some logins last. It is about a login when each of its
// conditions that is set holds; without any it is about every login. What it does not
// say is as the lifetimes are.
type Rule struct {
	Groups   []string       `yaml:"groups"`   // the user is in one of them
	Networks []netip.Prefix `yaml:"networks"` // the client's address is in one of them, at the login
	Idle     Duration       `yaml:"idle"`     // a session unused for so long ends
	Absolute Duration       `yaml:"absolute"` // and it ends after this
	Ticket   bool           `yaml:"ticket"`   // and with the ticket, where one proved who it is
	Remember Duration       `yaml:"remember"` // both limits, of a device that its person wants remembered; 0: not offered
}

// Rules are the section sessions of the configuration: the first rule that is about
// a login decides.
type Rules []Rule

// RuleProblem is what is wrong with one rule of the section, by its index.
type RuleProblem struct {
	Rule              int
	Field, Text, Hint string
}

// leastIdle: a session is not written down at each request, so it cannot be told for
// less whether it is used.
const leastIdle = time.Minute

// Problems says what is wrong with the rules; idle and absolute are the lifetimes.
func (rs Rules) Problems(idle, absolute time.Duration) (found []RuleProblem) {
	for i, r := range rs {
		add := func(field, text, hint string) { found = append(found, RuleProblem{i, field, text, hint}) }
		for _, d := range []struct {
			field string
			value Duration
		}{{"idle", r.Idle}, {"absolute", r.Absolute}, {"remember", r.Remember}} {
			if d.value != 0 && d.value.D() < leastIdle {
				add(d.field, "is less than a minute", "")
			}
		}
		if or(r.Idle, idle) > or(r.Absolute, absolute) {
			add("idle", "is more than absolute", fmt.Sprintf("no session lasts longer than %s there", or(r.Absolute, absolute)))
		}
		if r.Remember != 0 && r.Remember.D() < or(r.Absolute, absolute) {
			add("remember", "is less than a session lasts that is not remembered", fmt.Sprintf("more than %s, or leave it out", or(r.Absolute, absolute)))
		}
	}
	return found
}

func or(d Duration, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d.D()
}

func (r Rule) isAbout(groups []string, info *web.Info) bool {
	return (len(r.Groups) == 0 || slices.ContainsFunc(r.Groups, func(g string) bool { return slices.Contains(groups, g) })) && r.isIn(info)
}

// isIn: whom a proxy nobody told us about forwards is in no network.
func (r Rule) isIn(info *web.Info) bool {
	return len(r.Networks) == 0 ||
		!info.Outside && slices.ContainsFunc(r.Networks, func(p netip.Prefix) bool { return p.Contains(info.Client) })
}

func (rs Rules) of(groups []string, info *web.Info) (r Rule) {
	if i := slices.IndexFunc(rs, func(r Rule) bool { return r.isAbout(groups, info) }); i >= 0 {
		r = rs[i]
	}
	return r
}

// Longest is how long the longest session may last; absolute is the lifetime.
func (rs Rules) Longest(absolute time.Duration) time.Duration {
	for _, r := range rs {
		absolute = max(absolute, r.Absolute.D(), r.Remember.D())
	}
	return absolute
}

// MayRemember reports whether a login of a user from where the request comes can have
// its device remembered; of nobody (nil), whether that of somebody can.
func (s *Sessions) MayRemember(r *http.Request, u *store.User) bool {
	info := web.InfoFrom(r.Context())
	if u != nil {
		return s.Rules.of(u.Groups, info).Remember != 0
	}
	for _, rule := range s.Rules {
		if !rule.isIn(info) {
			continue
		}
		if rule.Remember != 0 {
			return true
		}
		if len(rule.Groups) == 0 {
			return false // it decides about everybody whom none before it is about
		}
	}
	return false
}

// limit sets when a session ends: as the rule says that is about this login, and not
// after what proved who it is.
func (s *Sessions) limit(row *store.Session, l Login, r *http.Request) {
	rule, now := s.Rules.of(l.User.Groups, web.InfoFrom(r.Context())), s.Now()
	idle, last := or(rule.Idle, s.Idle), or(rule.Absolute, s.Absolute)
	row.IdleFor = rule.Idle.D().Milliseconds()
	if row.Remembered = l.Remember && rule.Remember != 0; row.Remembered {
		idle, last = rule.Remember.D(), rule.Remember.D()
		row.IdleFor = idle.Milliseconds()
	}
	end := now.Add(last)
	for _, t := range []time.Time{l.Until, ticketEnd(rule, l)} {
		if !t.IsZero() && t.Before(end) {
			end = t
		}
	}
	row.IdleExpiresAt, row.ExpiresAt = now.Add(idle).UnixMilli(), end.UnixMilli()
}

func ticketEnd(rule Rule, l Login) time.Time {
	if !rule.Ticket {
		return time.Time{}
	}
	return l.TicketEnd
}

// keepLimits: what is added to a session makes it end no later; and a ticket, which
// nobody chose, takes back no choice to be remembered.
func keepLimits(row, old *store.Session) {
	row.IdleFor, row.Remembered, row.ExpiresAt, row.TicketEnd = old.IdleFor, old.Remembered, old.ExpiresAt, old.TicketEnd
	if old.IdleFor != 0 {
		row.IdleExpiresAt = row.SeenAt + old.IdleFor
	}
}

// idle is how long a session may go unused.
func (s *Sessions) idle(row *store.Session) time.Duration {
	if row.IdleFor != 0 {
		return time.Duration(row.IdleFor) * time.Millisecond
	}
	return s.Idle
}

// cookieAge is how many seconds the browser keeps the cookie of a session; 0: until
// it ends.
func (s *Sessions) cookieAge(row *store.Session) int {
	if !row.Remembered {
		return 0
	}
	return max(1, int(time.UnixMilli(row.ExpiresAt).Sub(s.Now()).Seconds()))
}
