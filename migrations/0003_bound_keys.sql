-- +goose Up

-- The SHA-256 thumbprint of the DPoP key that a code is bound to (RFC 9449 §10),
-- and the refresh tokens of a grant (§5); empty: none. An older binary makes none.
ALTER TABLE codes ADD COLUMN jkt TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN jkt TEXT NOT NULL DEFAULT '';
