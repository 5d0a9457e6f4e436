-- +goose Up

-- What a complete OpenID provider keeps beside 0001. An older binary uses none of it.

-- The SHA-256 thumbprint of the DPoP key that a code is bound to (RFC 9449 §10),
-- and the refresh tokens of a grant (§5); empty: none. An older binary makes none.
ALTER TABLE codes ADD COLUMN jkt TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN jkt TEXT NOT NULL DEFAULT '';

-- The hash of the request that a client pushed (RFC 9126), so that it gives one
-- code: in the row of that request, and in those of what was made of it between two
-- steps of a browser. Empty: nothing was pushed, as in all rows of an older binary.
ALTER TABLE pushed_requests ADD COLUMN pushed_hash BYTEA NOT NULL DEFAULT '';
ALTER TABLE login_requests ADD COLUMN pushed_hash BYTEA NOT NULL DEFAULT '';

-- Relying parties that registered themselves have a bound on what they push.
CREATE INDEX pushed_requests_client ON pushed_requests (client_id, expires_at);

-- One row per relying party that is to be told that a session has ended (OpenID
-- Connect Back-Channel Logout 1.0), written by what ends the session. A session
-- that an older binary ends has no rows: its relying parties are not told, as
-- before. next_at is when the next attempt is due and, while somebody makes one,
-- until when it is theirs. result is what came of the last attempt.
CREATE TABLE logout_deliveries (
    session_id TEXT   NOT NULL,
    client_id  TEXT   NOT NULL,
    user_id    TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    attempts   BIGINT NOT NULL DEFAULT 0,
    next_at    BIGINT NOT NULL,
    done_at    BIGINT NOT NULL DEFAULT 0,
    result     TEXT   NOT NULL DEFAULT '',
    reason     TEXT   NOT NULL DEFAULT '',
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, client_id)
);
CREATE INDEX logout_deliveries_due ON logout_deliveries (client_id, next_at) WHERE done_at = 0;
CREATE INDEX logout_deliveries_client ON logout_deliveries (client_id, created_at);
CREATE INDEX logout_deliveries_expiry ON logout_deliveries (expires_at);

-- Sessions end when nobody uses them, too.
CREATE INDEX sessions_idle ON sessions (idle_expires_at);

-- What a user allowed a relying party that is not trusted, until taken back:
-- scope holds items separated by spaces, as package clients writes them. An older
-- binary reads none of this and gives such a relying party nothing.
CREATE TABLE consents (
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    client_id  TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, client_id)
);

-- What the person of a finished login is asked to allow, in the same words, and
-- the answer: allowed or denied; empty: not asked, not answered.
ALTER TABLE login_requests ADD COLUMN consent TEXT NOT NULL DEFAULT '';
ALTER TABLE login_requests ADD COLUMN consent_answer TEXT NOT NULL DEFAULT '';

-- Standard claims of a person (OIDC Core §5.1) that have no column of their own:
-- an object of JSON, empty for none. An older binary shows none.
ALTER TABLE users ADD COLUMN claims TEXT NOT NULL DEFAULT '';

-- Keys of the algorithms that are made when somebody needs them (package keys). The
-- previous release reads all of signing_keys and does not start when it finds an
-- algorithm there that it does not know, so that these have a table of their own. This
-- release passes over what it does not know: when no older one is about any more,
-- these rows may move to signing_keys.
CREATE TABLE optional_signing_keys (
    kid        TEXT   NOT NULL PRIMARY KEY,
    algorithm  TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    active_at  BIGINT NOT NULL,
    retired_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

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
    wide_network TEXT    NOT NULL,
    outside      BOOLEAN NOT NULL DEFAULT FALSE,
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
CREATE INDEX device_codes_network ON device_codes (network, expires_at) WHERE answer = '';
CREATE INDEX device_codes_wide ON device_codes (wide_network, expires_at) WHERE answer = '';
CREATE INDEX device_codes_waiting ON device_codes (expires_at) WHERE answer = '';
CREATE INDEX device_codes_client ON device_codes (client_id);
CREATE INDEX device_codes_expiry ON device_codes (expires_at);

-- Relying parties that registered themselves (RFC 7591) are counted, for there is a
-- bound on them. The previous release makes none and leaves the column as it is.
ALTER TABLE clients ADD COLUMN registered BOOLEAN NOT NULL DEFAULT FALSE;
