-- +goose Up

-- Relying parties that registered themselves (RFC 7591) are counted, for there is a
-- bound on them. The previous release makes none and leaves the column as it is.
ALTER TABLE clients ADD COLUMN registered BOOLEAN NOT NULL DEFAULT FALSE;
