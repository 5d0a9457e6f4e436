package standing

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	protocol "github.com/zitadel/oidc/v3/pkg/oidc"

	"idp/internal/oidc/wire"
	"idp/internal/store"
	"idp/internal/user"
)

// AskDirectory asks whether the user of a grant is still enabled, and returns them as
// they are known now. user.ErrDisabled comes with what the store says of a token that
// is not good. Whether the directory answers does not matter here: what was given
// lasts for minutes, and ends by itself.
func (j *Judge) AskDirectory(ctx context.Context, u *store.User) (*store.User, error) {
	if j.Directory == nil {
		return u, nil
	}
	now, _, err := j.Directory(ctx, u)
	if errors.Is(err, user.ErrDisabled) {
		return nil, fmt.Errorf("%w: %w", store.ErrNotFound, err)
	}
	return now, err
}

// Vouches asks the directory before a refresh token is used, for the network has no
// place in a transaction: about its user, whose profile in the database is then the
// one that is told.
func (j *Judge) Vouches(ctx context.Context, client *store.Client, family string) (vouches bool, err error) {
	if j.Directory == nil {
		return false, nil
	}
	u, err := j.Store.UserOfGrant(ctx, family, client.ClientID) // which has its family's id
	if errors.Is(err, store.ErrNotFound) {
		return false, nil // the statement that uses it up says so
	}
	if err != nil {
		return false, err
	}
	_, vouches, err = j.Directory(ctx, u)
	if errors.Is(err, user.ErrDisabled) {
		err = protocol.ErrInvalidGrant().WithDescription("the user is disabled").WithParent(err)
	}
	return vouches, err
}

// WithinTicket refuses what a ticket does not cover: where the directory lets sessions outlive their tickets and does not
// vouch for the user now, nothing is given that the ticket alone would not have. The
// token stays as it is, for the directory may answer in a minute.
func (j *Judge) WithinTicket(g *store.Grant, now *store.Standing, vouches bool) error {
	if vouches || g.Offline || now.TicketEnd == 0 || j.Now().UnixMilli() < now.TicketEnd {
		return nil
	}
	return wire.Failure{Status: http.StatusServiceUnavailable, Err: &protocol.Error{ErrorType: wire.TemporarilyUnavailable,
		Description: "the user's ticket has ended, and whether the account is still enabled is not known just now"}}
}
