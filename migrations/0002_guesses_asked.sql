-- +goose Up

-- Of a guess: who was asked for, since several names may count together, and one
-- that logs in clears its own guesses only; why it was refused; and whether the
-- same password may be asked about again, since it is the account that is refused
-- and that can change. Rows of an older binary have none, and end in half an hour.
ALTER TABLE guesses ADD COLUMN asked TEXT NOT NULL DEFAULT '';
ALTER TABLE guesses ADD COLUMN reason TEXT NOT NULL DEFAULT '';
ALTER TABLE guesses ADD COLUMN again BOOLEAN NOT NULL DEFAULT FALSE;
