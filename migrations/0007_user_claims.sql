-- +goose Up

-- Standard claims of a person (OIDC Core §5.1) that have no column of their own:
-- an object of JSON, empty for none. An older binary shows none.
ALTER TABLE users ADD COLUMN claims TEXT NOT NULL DEFAULT '';
