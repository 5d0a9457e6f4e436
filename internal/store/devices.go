package store

import (
	"context"
	"time"

	"idp/internal/audit"
	"idp/internal/store/database"
)

// DeviceCode is a device that asks to be logged in (RFC 8628), known by the
// SHA-256 of its device code.
type DeviceCode struct {
	Hash      []byte
	UserCode  string // what people type, in the form in which it is compared
	GrantID   string // what it will give; names the request on pages until then
	ClientID  string
	Address   string // where the device asked from
	Network   string // what those that wait are counted by: a household, a company
	Wide      string // and the network around it
	Outside   bool   // a proxy that nobody configured: Address is that of nobody we know
	Scope     string
	Resource  string // the resources asked for, separated by spaces
	PollEvery Millis // how long the device has to wait between two polls
	Answer    string // DeviceAllowed or DeviceDenied; empty: none yet
	UserID    string // who answered, and in which session
	SessionID string
	AMR       []string
	ACR       string
	AuthTime  Millis
	CreatedAt Millis
	ExpiresAt Millis
	UsedAt    Millis
}

// Answers to a device.
const (
	DeviceAllowed = "allowed"
	DeviceDenied  = "denied"
)

// collectedFor: whoever allows in the last second gives the device so long to ask
// once more.
const collectedFor = time.Minute

const deviceColumns = `hash, user_code, grant_id, client_id, address, network, wide_network, outside, scope, resource, poll_every, answer,
	user_id, session_id, amr, acr, auth_time, created_at, expires_at, used_at`

func (d *DeviceCode) dest() []any {
	return []any{&d.Hash, &d.UserCode, &d.GrantID, &d.ClientID, &d.Address, &d.Network, &d.Wide, &d.Outside, &d.Scope, &d.Resource, &d.PollEvery, &d.Answer,
		&d.UserID, &d.SessionID, (*textList)(&d.AMR), &d.ACR, &d.AuthTime, &d.CreatedAt, &d.ExpiresAt, &d.UsedAt}
}

// DeviceByUserCode reads what a user code stands for: one that was answered or
// has expired, too, until it is swept.
func (s *Store) DeviceByUserCode(ctx context.Context, userCode string) (*DeviceCode, error) {
	d := &DeviceCode{}
	if err := s.queryRow(ctx, d.dest(), `SELECT `+deviceColumns+` FROM device_codes WHERE user_code = $1`, userCode); err != nil {
		return nil, err
	}
	return d, nil
}

// DeviceAnswer is what a person says to a device.
type DeviceAnswer struct {
	Hash    []byte
	Allow   bool
	Session Session // whose it is, and what the tokens will rest on
	Scope   string  // of what the device asked for, what this session can give
	Consent string  // what the relying party is allowed by it, items as in Consent.Scope; empty: it is trusted
	Entry   Entry   // actor, address, request id … of the audit row
}

// AnswerDevice notes the answer, and the consent that is in it, in one
// transaction. The first answer counts: ErrNotFound for another, for a device that
// has waited too long, and when the session is over.
func (s *Store) AnswerDevice(ctx context.Context, a DeviceAnswer) error {
	answer, event := DeviceDenied, audit.DeviceDenied
	if a.Allow {
		answer, event = DeviceAllowed, audit.DeviceAllowed
	}
	return s.db.Write(ctx, func(t database.Tx) error {
		e, now := a.Entry, s.Now()
		e.UserID, e.SessionID, e.Detail = a.Session.UserID, a.Session.ID, a.Scope
		err := t.QueryRow([]any{&e.ClientID}, `
			UPDATE device_codes SET answer = $10, user_id = $2, session_id = $3, amr = $4, acr = $5, auth_time = $6, scope = $7,
				expires_at = CASE WHEN expires_at < $8 THEN $8 ELSE expires_at END
			WHERE hash = $9 AND answer = '' AND expires_at > $1
			AND EXISTS (`+liveSessions+` AND s.id = $3 AND u.id = $2)
			RETURNING client_id`,
			now, a.Session.UserID, a.Session.ID, encodeList(a.Session.AMR), a.Session.ACR, a.Session.AuthTime, a.Scope,
			now+collectedFor.Milliseconds(), a.Hash, answer)
		if err != nil {
			return err
		}
		if a.Allow && a.Consent != "" {
			if err := mergeConsent(t, e.UserID, e.ClientID, a.Consent, now); err != nil {
				return err
			}
		}
		return s.writeEntry(t, e, event)
	})
}
