package store

import (
	"context"
	"errors"
	"time"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// DeviceState is what a device is told that asks whether it was allowed.
type DeviceState int

const (
	// DevicePending: nobody has answered yet.
	DevicePending DeviceState = iota
	// DeviceTooFast: neither, and the device asks sooner than it may; from now on
	// it has to wait longer.
	DeviceTooFast
	// DeviceRefused: the person does not allow it.
	DeviceRefused
	// DeviceExpired: nobody answered in time, or the device did not come back.
	DeviceExpired
	// DeviceGranted: allowed, and this request is the one that gets the tokens.
	DeviceGranted
)

const (
	slowDownBy = 5 * time.Second // RFC 8628 §3.5
	// pollGrace forgives a device whose clock or network is not even.
	pollGrace = time.Second
)

// Poll is one question of a device, whose client has authenticated itself.
type Poll struct {
	Hash     []byte // of the device code
	ClientID string
	Now      Millis
	// Grant says what is given, as things stand now; the family is nil without a refresh token. It may
	// refuse: then nothing is used up. It runs inside the transaction: no I/O, no
	// crypto. Both get the device's grant id, client, user and session whatever it
	// says.
	Grant func(DeviceCode, Standing) (Grant, *RefreshFamily, error)
	Entry Entry // address, request id … of the audit row for a second use
}

// Polled is the answer; Grant and User are set with DeviceGranted.
type Polled struct {
	State DeviceState
	Grant *Grant
	User  *User
}

// PollDevice tells a device how things are and, once, turns an allowed device
// code into a grant. ErrNotFound: the code is unknown or another client's, or the
// session or user that allowed it is over. ErrReused: it was used before, and what
// the first use gave is revoked, as with an authorization code: two have it.
//
// The first statement finds codes without an answer only, the second allowed ones
// only, and an answer is never taken back: so what neither finds is over for good.
func (s *Store) PollDevice(ctx context.Context, p Poll) (*Polled, error) {
	var out Polled
	var reused bool
	err := s.db.Write(ctx, func(t database.Tx) (err error) {
		out, reused = Polled{}, false
		if out.State, err = countPoll(t, p); !errors.Is(err, ErrNotFound) {
			return err
		}
		d, err := useDevice(t, p)
		if errors.Is(err, ErrNotFound) {
			out.State, reused, err = s.deviceOver(t, p)
			return err
		}
		if err != nil {
			return err
		}
		out.State = DeviceGranted
		out.Grant, out.User, err = grantDevice(t, p, d)
		return err
	})
	if err == nil && reused {
		s.revoked.Add(1)
		err = ErrReused
	}
	if err != nil {
		return nil, err
	}
	return &out, nil
}

// countPoll answers for a device that waits. Its one statement judges how soon it
// asks, and makes it wait longer if it was too soon.
func countPoll(t database.Tx, p Poll) (DeviceState, error) {
	var slowed bool
	err := t.QueryRow([]any{&slowed}, `
		UPDATE device_codes SET slowed = next_poll_at > $1,
			poll_every = CASE WHEN next_poll_at > $1 THEN poll_every + $4 ELSE poll_every END,
			next_poll_at = $1 - $5 + CASE WHEN next_poll_at > $1 THEN poll_every + $4 ELSE poll_every END
		WHERE hash = $2 AND client_id = $3 AND answer = '' AND expires_at > $1
		RETURNING slowed`, p.Now, p.Hash, p.ClientID, slowDownBy.Milliseconds(), pollGrace.Milliseconds())
	if slowed {
		return DeviceTooFast, err
	}
	return DevicePending, err
}

// useDevice is the one statement that decides who gets the tokens of a device code.
func useDevice(t database.Tx, p Poll) (*DeviceCode, error) {
	d := &DeviceCode{}
	return d, t.QueryRow(d.dest(), `
		UPDATE device_codes SET used_at = $1
		WHERE hash = $2 AND client_id = $3 AND answer = '`+DeviceAllowed+`' AND used_at = 0 AND expires_at > $1
		AND EXISTS (`+liveSessions+` AND s.id = device_codes.session_id AND u.id = device_codes.user_id)
		RETURNING `+deviceColumns, p.Now, p.Hash, p.ClientID)
}

// grantDevice stores the grant, and notes the relying party as visited by the
// session, whose end it is then told of.
func grantDevice(t database.Tx, p Poll, d *DeviceCode) (*Grant, *User, error) {
	now, err := standing(t, d.UserID, d.ClientID)
	if err != nil {
		return nil, nil, err
	}
	g, family, err := p.Grant(*d, now)
	if err != nil {
		return nil, nil, err
	}
	g.ID, g.ClientID, g.UserID, g.SessionID = d.GrantID, d.ClientID, d.UserID, d.SessionID
	g.Device, g.Address = true, d.Address
	if err := insertGrant(t, g, family); err != nil {
		return nil, nil, err
	}
	err = visit(t, d.SessionID, d.ClientID, p.Now)
	if database.RefersToNothing(err) { // the session ended a moment ago
		err = ErrNotFound
	}
	return &g, &now.User, err
}

// deviceOver says why a device code gives nothing (any more), and revokes what it
// gave when it comes again.
func (s *Store) deviceOver(t database.Tx, p Poll) (state DeviceState, reused bool, err error) {
	var d DeviceCode
	err = t.QueryRow(d.dest(), `SELECT `+deviceColumns+` FROM device_codes WHERE hash = $1 AND client_id = $2`, p.Hash, p.ClientID)
	switch {
	case err != nil:
		return 0, false, err
	case d.UsedAt != 0:
		e := p.Entry
		e.UserID, e.ClientID, e.SessionID = d.UserID, d.ClientID, d.SessionID
		return 0, true, s.revokeGrant(t, d.GrantID, e, audit.CodeReused, p.Now)
	case d.Answer == DeviceDenied:
		return DeviceRefused, false, nil
	case d.ExpiresAt <= p.Now:
		return DeviceExpired, false, nil
	}
	return 0, false, ErrNotFound // the session that allowed it has ended
}
