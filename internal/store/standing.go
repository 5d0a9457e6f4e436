package store

import "idp/internal/store/database"

// Standing is what counts at the moment that something is given for a code, a
// device code, a refresh or an access token, whatever counted when it was granted.
// The statement or the transaction that uses it up reads it: a client that is
// trusted less, or a consent that is taken back, counts from its commit on.
type Standing struct {
	User    User
	Client  *Client // of the database, without its times, not to be changed; nil: it is the file's, or it is gone
	Consent string  // what the user allows the client, items as in Consent.Scope; empty: nothing

	TicketEnd Millis // of the session, at a refresh (Session.TicketEnd)
}

// standingColumns of users AS u, clients AS k and consents AS n, in the order of
// (*Standing).dest.
const standingColumns = userColumns + `, k.metadata, COALESCE(n.scope, '')`

func (s *Standing) dest() []any {
	return append(s.User.dest(), joinedClient{&s.Client}, &s.Consent)
}

// joinedClient scans the metadata of a client that a LEFT JOIN may not have found.
type joinedClient struct{ to **Client }

// Scan implements sql.Scanner.
func (j joinedClient) Scan(src any) error {
	*j.to = nil
	if src == nil {
		return nil
	}
	c := &Client{}
	*j.to = c
	return (*metadata)(c).Scan(src)
}

// standing reads how things stand between a user and a client.
func standing(t database.Tx, userID, clientID string) (s Standing, err error) {
	err = t.QueryRow(s.dest(), `
		SELECT `+standingColumns+` FROM users u
		LEFT JOIN clients k ON k.client_id = $2 LEFT JOIN consents n ON n.user_id = u.id AND n.client_id = $2
		WHERE u.id = $1`, userID, clientID)
	return s, err
}
