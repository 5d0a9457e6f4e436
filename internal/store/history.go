package store

import (
	"context"

	"idp/internal/audit"
)

// Attempts are logins with one name that failed on one day from one address, counted
// together: whoever tries a thousand times must not push out of sight what somebody
// looks for.
type Attempts struct {
	ID      string // of the newest
	At      Millis // of the newest
	Count   int64
	Address string
	Agent   string // of one of them
}

func (a *Attempts) dest() []any { return []any{&a.ID, &a.At, &a.Count, &a.Address, &a.Agent} }

// History is what the audit log says about one user, the newest first.
type History struct {
	Done     []Entry    // all but failed logins
	Attempts []Attempts // failed logins, as of the same time
	Older    string     // HistoryPage.Before of the page that goes on; empty: it is the last
}

// HistoryPage says which page of a user's history to read.
type HistoryPage struct {
	UserID string
	Since  Millis // nothing older
	Before string // id of an entry; empty: from the newest
	Limit  int
}

// silent are events of a user's that happened to relying parties, not to the user.
const silent = `'` + audit.TokenExchanged + `', '` + audit.LogoutDelivered + `', '` + audit.LogoutRefused + `', '` + audit.LogoutDelayed + `', '` + audit.LogoutGivenUp + `'`

// ReadHistory reads a page of a user's history.
func (s *Store) ReadHistory(ctx context.Context, p HistoryPage) (*History, error) {
	before := p.Before
	if before == "" {
		before = "g" // as in Entries
	}
	since := idAt(p.Since)
	h := &History{}
	var err error
	h.Done, err = queryAll(ctx, s, (*Entry).dest, `
		SELECT `+entryColumns+` FROM audit
		WHERE user_id = $1 AND id < $2 AND id >= $3 AND event NOT IN ('`+audit.LoginFailed+`', `+silent+`)
		ORDER BY id DESC LIMIT $4`, p.UserID, before, since, pageSize(p.Limit)+1)
	if err != nil {
		return nil, err
	}
	if int64(len(h.Done)) > pageSize(p.Limit) {
		h.Done = h.Done[:pageSize(p.Limit)]
		h.Older = h.Done[len(h.Done)-1].ID
		since = h.Older
	}
	h.Attempts, err = queryAll(ctx, s, (*Attempts).dest, `
		SELECT MAX(id), MAX(at), COUNT(*), address, MAX(agent) FROM audit
		WHERE user_id = $1 AND id < $2 AND id >= $3 AND event = '`+audit.LoginFailed+`'
		GROUP BY at / 86400000, address ORDER BY MAX(id) DESC LIMIT $4`, p.UserID, before, since, pageSize(p.Limit))
	return h, err
}
