package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// ErrLast means that somebody could not log in any more.
var ErrLast = errors.New("nothing else is left to log in by")

// DropIdentity is UnlinkIdentity by its own user: never of all that they can log in by
// (ErrLast). The sessions that came by it end; other logins go on. ErrNotFound: it is
// not the user's.
func (s *Store) DropIdentity(ctx context.Context, i Identity, e Entry) error {
	e.UserID = i.UserID
	return s.ending(ctx, func(t database.Tx) (int64, error) {
		// Two at once wait for each other here, and the second sees what the first left.
		n, err := t.Exec(`UPDATE users SET updated_at = updated_at WHERE id = $1`, i.UserID)
		if err := found(n, err); err != nil {
			return 0, err
		}
		if err := dispensable(t, i); err != nil {
			return 0, err
		}
		queued, _, err := s.endSessionsFrom(t, UpstreamSession{Issuer: strings.TrimPrefix(i.Source, SourceUpstream), Subject: i.Key}, e)
		if err != nil {
			return 0, err
		}
		if err := s.takeGroups(t, i, e); err != nil {
			return 0, err
		}
		n, err = t.Exec(`DELETE FROM identities WHERE source = $1 AND key = $2 AND user_id = $3`, i.Source, i.Key, i.UserID)
		if err := found(n, err); err != nil {
			return 0, err
		}
		return queued, s.writeEntry(t, e, audit.IdentityUnlinked)
	})
}

// dispensable: the user has a local password, or another identity.
func dispensable(t database.Tx, i Identity) error {
	var mine, other bool
	err := t.QueryRow([]any{&mine, &other}, `
		SELECT EXISTS (SELECT 1 FROM identities i WHERE i.source = $1 AND i.key = $2 AND i.user_id = $3),
			u.password_hash <> '' OR EXISTS (SELECT 1 FROM identities o WHERE o.user_id = $3 AND (o.source <> $1 OR o.key <> $2))
		FROM users u WHERE u.id = $3`, i.Source, i.Key, i.UserID)
	switch {
	case err != nil:
		return err
	case !mine:
		return ErrNotFound
	case !other:
		return ErrLast
	}
	return nil
}

// EndUpstreamSessions ends the sessions that came from a login at an upstream: of a
// subject there, or of one of its sessions, or both, as given (OIDC Back-Channel
// Logout §2.6). It returns how many there were. The logout token that says so counts
// once, until it expires.
func (s *Store) EndUpstreamSessions(ctx context.Context, from UpstreamSession, token []byte, until time.Time, e Entry) (ended int, err error) {
	err = s.ending(ctx, func(t database.Tx) (queued int64, err error) {
		n, err := t.Exec(firstSeen, UseLogout.key(token), until.UnixMilli(), s.Now())
		if err != nil || n == 0 {
			return 0, err
		}
		queued, ended, err = s.endSessionsFrom(t, from, e)
		return queued, err
	})
	return ended, err
}

func (s *Store) endSessionsFrom(t database.Tx, from UpstreamSession, e Entry) (queued int64, ended int, err error) {
	ids, err := sessionsFrom(t, from)
	if err != nil {
		return 0, 0, err
	}
	for _, id := range ids {
		one := Entry{Actor: e.Actor, Name: e.Name, Address: e.Address, RequestID: e.RequestID, Detail: e.Detail}
		n, err := s.endSession(t, id, one)
		if err != nil {
			return 0, 0, err
		}
		queued += n
	}
	return queued, len(ids), nil
}

// sessionsFrom are the ids of the sessions that came from there. A subject is found by
// its identity; a session alone, which few upstreams tell, by the text of the document.
func sessionsFrom(t database.Tx, from UpstreamSession) (ids []string, err error) {
	if from.Issuer == "" || (from.Subject == "" && from.SID == "") {
		return nil, nil
	}
	each := func(scan database.Scan) error {
		var id string
		var was UpstreamSession
		if err := scan(&id, document{&was}); err != nil {
			return err
		}
		if was.Issuer == from.Issuer && (from.Subject == "" || was.Subject == from.Subject) && (from.SID == "" || was.SID == from.SID) {
			ids = append(ids, id)
		}
		return nil
	}
	if from.Subject != "" {
		err = t.Query(each, `
			SELECT s.id, s.upstream FROM sessions s JOIN identities i ON i.user_id = s.user_id
			WHERE i.source = $1 AND i.key = $2 AND s.upstream <> '' ORDER BY s.id`, SourceUpstream+from.Issuer, from.Subject)
		return ids, err
	}
	text, err := encodeDocument(UpstreamSession{SID: from.SID})
	if err != nil {
		return nil, err
	}
	escaped := strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.Trim(text, "{}"))
	err = t.Query(each, `SELECT id, upstream FROM sessions WHERE upstream LIKE $1 ESCAPE '!' ORDER BY id`, "%"+escaped+"%")
	return ids, err
}
