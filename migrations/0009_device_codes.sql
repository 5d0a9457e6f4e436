-- +goose Up

-- Devices that ask to be logged in (RFC 8628), each by the SHA-256 of its device
-- code. The user code is kept as people type it: with it one can give away a login
-- of one's own, for ten minutes, and no more. answer is allowed or denied, and
-- empty until a person has answered; what stands beside it is of their session.
-- An older binary makes none and reads none.
CREATE TABLE device_codes (
    hash         BYTEA   NOT NULL PRIMARY KEY,
    user_code    TEXT    NOT NULL UNIQUE,
    grant_id     TEXT    NOT NULL,
    client_id    TEXT    NOT NULL,
    address      TEXT    NOT NULL,
    network      TEXT    NOT NULL,
    scope        TEXT    NOT NULL,
    resource     TEXT    NOT NULL DEFAULT '',
    poll_every   BIGINT  NOT NULL,
    next_poll_at BIGINT  NOT NULL DEFAULT 0,
    slowed       BOOLEAN NOT NULL DEFAULT FALSE,
    answer       TEXT    NOT NULL DEFAULT '',
    user_id      TEXT    NOT NULL DEFAULT '',
    session_id   TEXT    NOT NULL DEFAULT '',
    amr          TEXT    NOT NULL DEFAULT '[]',
    acr          TEXT    NOT NULL DEFAULT '',
    auth_time    BIGINT  NOT NULL DEFAULT 0,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    used_at      BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX device_codes_network ON device_codes (network, expires_at);
CREATE INDEX device_codes_client ON device_codes (client_id, expires_at);
CREATE INDEX device_codes_expiry ON device_codes (expires_at);
