package device

import (
	"errors"
	"net/http"
	"strings"

	"idp/internal/oidc/clients"
	"idp/internal/session"
	"idp/internal/store"
	"idp/internal/web"
)

// asking is a device that asks, and the relying party on it.
type asking struct {
	row    *store.DeviceCode
	client *store.Client
}

// errUserCode means that no device waits with this code.
var errUserCode = errors.New("the user code is wrong, expired, or somebody else's by now")

// device finds who asks by what was typed; errNothingTyped without anything. It is
// the only way to a row, and counts wrong codes (RFC 8628 §5.1): the error is
// errUserCode or *authn.TooManyCodes then. A row that was answered is found by who
// answered it, and by nobody else.
func (p *Endpoints) device(r *http.Request, c *session.Current, typed string) (*asking, error) {
	if typed == "" {
		return nil, errNothingTyped
	}
	code := readUserCode(typed)
	if code == "" { // it never was one: not a guess
		return nil, errUserCode
	}
	var d *asking
	err := p.Codes.Try(r.Context(), c.User.ID, web.InfoFrom(r.Context()).Client, code, func() (bool, error) {
		found, err := p.lookUp(r, c, code)
		d = found
		return found != nil, err
	})
	if err == nil && d == nil {
		err = errUserCode
	}
	return d, err
}

// errNothingTyped means that the code has still to be typed.
var errNothingTyped = errors.New("no user code")

// errByLink means that the code came by a link: its person has to send it.
var errByLink = errors.New("the user code came by a link")

// lookUp returns nil without an error when nobody waits with this code.
func (p *Endpoints) lookUp(r *http.Request, c *session.Current, code string) (*asking, error) {
	row, err := p.Store.DeviceByUserCode(r.Context(), code)
	if err == nil {
		waits, mine := row.Answer == "" && row.ExpiresAt > p.Now().UnixMilli(), row.Answer != "" && row.UserID == c.User.ID
		if !waits && !mine {
			err = store.ErrNotFound
		}
	}
	var client *store.Client
	if err == nil {
		client, err = p.Clients.ByID(r.Context(), row.ClientID)
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil //nolint:nilnil // a wrong code is an answer, not an error
	}
	if err != nil {
		return nil, err
	}
	web.InfoFrom(r.Context()).ClientID = client.ClientID
	return &asking{row, client}, nil
}

// purpose is what the form's token is good for: the answer of this user, in this
// session, to this device.
func (d *asking) purpose(c *session.Current) string {
	return "device\x00" + d.row.GrantID + "\x00" + c.Session.ID + "\x00" + c.User.ID
}

// scope is what of the asked scope this session can give.
func (d *asking) scope(c *session.Current) string {
	return clients.WithoutOffline(d.client, c.Session, d.row.Scope)
}

// consent is what the relying party gets.
func (d *asking) consent(c *session.Current) string {
	return clients.ConsentItems(d.scope(c), nil, strings.Fields(d.row.Resource))
}
