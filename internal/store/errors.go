package store

import (
	"errors"

	"idp/internal/store/database"
)

var (
	// ErrNotFound: no row that the caller may have: unknown, expired, used up,
	// or a condition of the statement does not hold.
	ErrNotFound = database.ErrNotFound
	// ErrConflict: a name or id is taken, or a row was changed since it was read.
	ErrConflict = errors.New("already exists")
	// ErrReused: what counts once came a second time. What a code, device code or
	// refresh token gave has been revoked; a pushed request gives no second code.
	ErrReused = errors.New("used a second time")
	// ErrTooMany: a bound on rows of one kind is reached.
	ErrTooMany = errors.New("too many")
	// ErrConsent: the user has not allowed the relying party all that it is to get.
	ErrConsent = errors.New("the user has not consented")
)
