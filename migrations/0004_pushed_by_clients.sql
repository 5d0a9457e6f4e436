-- +goose Up

-- Whether a client pushed the request (RFC 9126), so that it gives one code; the
-- others are parameters parked between two steps of a browser, which may come
-- again. An older binary has those only.
ALTER TABLE pushed_requests ADD COLUMN pushed BOOLEAN NOT NULL DEFAULT FALSE;
