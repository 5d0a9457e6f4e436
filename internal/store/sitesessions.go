package store

import "context"

type siteKey struct{ grant, clientID string }

// SiteSession is what a browser's cookie of a protected site stands for: the grant
// that its login there gave, and the session and the user behind it as they are now.
// It is shared by whoever asked, and not to be changed.
type SiteSession struct {
	GrantID string
	Session Session
	User    User
}

// SiteSession finds the live session behind a grant of a protected site, which is known
// as clientID. ErrNotFound: the grant is unknown, over, revoked or another client's, the
// session has ended, or the user is disabled. What another node ended may count for a
// second more.
func (s *Store) SiteSession(ctx context.Context, grantID, clientID string, now Millis) (*SiteSession, error) {
	k := siteKey{grantID, clientID}
	if found, ok := s.sites.get(k, now, &s.revoked); ok {
		return found, nil
	}
	revision := s.revoked.Load()
	found := &SiteSession{GrantID: grantID}
	err := s.queryRow(ctx, append(append(found.Session.dest(), found.User.dest()...), &found.Session.HasFactor), `
		SELECT `+sessionColumns+`, `+userColumns+`, `+hadFactor+`
		FROM grants g JOIN sessions s ON s.id = g.session_id AND s.user_id = g.user_id JOIN users u ON u.id = s.user_id
		WHERE g.id = $1 AND g.client_id = $2 AND g.revoked_at = 0 AND g.expires_at > $3
		AND s.expires_at > $3 AND s.idle_expires_at > $3 AND NOT u.disabled`, grantID, clientID, now)
	if err != nil {
		return nil, err
	}
	s.sites.put(k, found, now, revision)
	return found, nil
}
