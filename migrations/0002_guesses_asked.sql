-- +goose Up

-- Who was asked for: several names may count together, and one that logs in clears
-- its own guesses only. Rows of an older binary have none, and end in half an hour.
ALTER TABLE guesses ADD COLUMN asked TEXT NOT NULL DEFAULT '';
