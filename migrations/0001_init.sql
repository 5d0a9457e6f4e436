-- +goose Up

-- One text for SQLite and PostgreSQL: TEXT, BIGINT, BOOLEAN and BYTEA only, every
-- column NOT NULL. Times are integer milliseconds since 1970, UTC; 0 means never.

-- The oldest binary that may still use this schema (binaryLevel in package
-- store): one row, raised by the migration that older binaries would get wrong.
CREATE TABLE schema_support (
    oldest_binary BIGINT NOT NULL
);
INSERT INTO schema_support (oldest_binary) VALUES (1);

CREATE TABLE settings (
    name  TEXT   NOT NULL PRIMARY KEY,
    value BYTEA  NOT NULL
);

-- Who a person is. id is the `sub` of every token: random, never reused.
CREATE TABLE users (
    id             TEXT    NOT NULL PRIMARY KEY,
    name           TEXT    NOT NULL UNIQUE,
    full_name      TEXT    NOT NULL DEFAULT '',
    email          TEXT    NOT NULL DEFAULT '',
    email_verified BOOLEAN NOT NULL DEFAULT FALSE,
    password_hash  TEXT    NOT NULL DEFAULT '',
    groups         TEXT    NOT NULL DEFAULT '[]',
    admin          BOOLEAN NOT NULL DEFAULT FALSE,
    disabled       BOOLEAN NOT NULL DEFAULT FALSE,
    created_at     BIGINT  NOT NULL,
    updated_at     BIGINT  NOT NULL
);

-- What a source outside knows a user by: (kerberos:REALM, principal or SID),
-- (upstream:ISSUER, sub).
CREATE TABLE identities (
    source     TEXT   NOT NULL,
    key        TEXT   NOT NULL,
    user_id    TEXT   NOT NULL REFERENCES users (id),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (source, key)
);
CREATE INDEX identities_user ON identities (user_id);

-- Relying parties made by command, API or page; those of the file are not here.
CREATE TABLE clients (
    client_id  TEXT   NOT NULL PRIMARY KEY,
    metadata   TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- id is the public sid and stays; secret_hash changes with every login.
CREATE TABLE sessions (
    id              TEXT   NOT NULL PRIMARY KEY,
    secret_hash     BYTEA  NOT NULL UNIQUE,
    user_id         TEXT   NOT NULL REFERENCES users (id),
    amr             TEXT   NOT NULL,
    acr             TEXT   NOT NULL,
    principal       TEXT   NOT NULL DEFAULT '',
    auth_time       BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    seen_at         BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    expires_at      BIGINT NOT NULL,
    address         TEXT   NOT NULL DEFAULT '',
    user_agent      TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Which relying parties a session visited: whom to tell when it ends.
CREATE TABLE session_clients (
    session_id TEXT   NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    client_id  TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, client_id)
);

-- One pending attempt to log in; belongs to one browser. The session columns are
-- set when the login is done, consumed_at when the relying party got its code.
CREATE TABLE login_requests (
    id            TEXT    NOT NULL PRIMARY KEY,
    browser_hash  BYTEA   NOT NULL,
    address       TEXT    NOT NULL,
    client_id     TEXT    NOT NULL,
    params        TEXT    NOT NULL,
    return_to     TEXT    NOT NULL DEFAULT '',
    fresh         BOOLEAN NOT NULL,
    min_auth_time BIGINT  NOT NULL,
    acr           TEXT    NOT NULL DEFAULT '',
    login_hint    TEXT    NOT NULL DEFAULT '',
    reason        TEXT    NOT NULL DEFAULT '',
    reference     TEXT    NOT NULL DEFAULT '',
    username      TEXT    NOT NULL DEFAULT '',
    rechallenged  BOOLEAN NOT NULL DEFAULT FALSE,
    state         BYTEA   NOT NULL,
    user_id       TEXT    NOT NULL DEFAULT '',
    session_id    TEXT    NOT NULL DEFAULT '',
    auth_time     BIGINT  NOT NULL DEFAULT 0,
    created_at    BIGINT  NOT NULL,
    expires_at    BIGINT  NOT NULL,
    consumed_at   BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX login_requests_browser ON login_requests (browser_hash, consumed_at, created_at);
CREATE INDEX login_requests_address ON login_requests (address, consumed_at, expires_at);
CREATE INDEX login_requests_expiry ON login_requests (expires_at);

-- Parameters kept under a one-time handle: cross-site POSTs that answer with a
-- redirect to themselves by GET, and pushed authorization requests (RFC 9126).
CREATE TABLE pushed_requests (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    client_id  TEXT   NOT NULL,
    address    TEXT   NOT NULL,
    params     TEXT   NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX pushed_requests_address ON pushed_requests (address, expires_at);
CREATE INDEX pushed_requests_expiry ON pushed_requests (expires_at);

-- grant_id is chosen with the code, so that a second use can revoke what the
-- first one gave.
CREATE TABLE codes (
    hash           BYTEA  NOT NULL PRIMARY KEY,
    grant_id       TEXT   NOT NULL,
    client_id      TEXT   NOT NULL,
    redirect_uri   TEXT   NOT NULL,
    code_challenge TEXT   NOT NULL,
    user_id        TEXT   NOT NULL,
    session_id     TEXT   NOT NULL,
    scope          TEXT   NOT NULL,
    nonce          TEXT   NOT NULL,
    claims         TEXT   NOT NULL DEFAULT '',
    resource       TEXT   NOT NULL DEFAULT '',
    amr            TEXT   NOT NULL,
    acr            TEXT   NOT NULL,
    auth_time      BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL,
    used_at        BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX codes_expiry ON codes (expires_at);

-- One per redeemed code; its id is in every token it gave. session_id is kept
-- when the grant outlives the session (offline_access), with offline set.
CREATE TABLE grants (
    id         TEXT    NOT NULL PRIMARY KEY,
    client_id  TEXT    NOT NULL,
    user_id    TEXT    NOT NULL,
    session_id TEXT    NOT NULL,
    offline    BOOLEAN NOT NULL DEFAULT FALSE,
    scope      TEXT    NOT NULL,
    resource   TEXT    NOT NULL DEFAULT '',
    claims     TEXT    NOT NULL DEFAULT '',
    amr        TEXT    NOT NULL,
    acr        TEXT    NOT NULL,
    auth_time  BIGINT  NOT NULL,
    created_at BIGINT  NOT NULL,
    expires_at BIGINT  NOT NULL,
    revoked_at BIGINT  NOT NULL DEFAULT 0
);
CREATE INDEX grants_user ON grants (user_id);
CREATE INDEX grants_expiry ON grants (expires_at);

CREATE TABLE refresh_families (
    id         TEXT   NOT NULL PRIMARY KEY,
    grant_id   TEXT   NOT NULL UNIQUE,
    client_id  TEXT   NOT NULL,
    generation BIGINT NOT NULL,
    rotated_at BIGINT NOT NULL,
    idle_expires_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL DEFAULT 0
);

CREATE TABLE revoked_tokens (
    jti        TEXT   NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);

-- Kerberos authenticators and every other thing that counts once: the hash of
-- it, inserted once; a conflict is a replay.
CREATE TABLE replays (
    hash       BYTEA  NOT NULL PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX replays_expiry ON replays (expires_at);

-- signs from active_at until retired_at; published from created_at until expires_at.
CREATE TABLE signing_keys (
    kid        TEXT   NOT NULL PRIMARY KEY,
    algorithm  TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    active_at  BIGINT NOT NULL,
    retired_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- One row per wrong or running guess at a name's password: a name has a fixed
-- number of slots, taken and given back by conditional statements.
CREATE TABLE guesses (
    name          TEXT    NOT NULL,
    slot          BIGINT  NOT NULL,
    password_hash BYTEA   NOT NULL,
    token         TEXT    NOT NULL,
    failed        BOOLEAN NOT NULL,
    expires_at    BIGINT  NOT NULL,
    PRIMARY KEY (name, slot)
);
CREATE INDEX guesses_token ON guesses (token);
CREATE INDEX guesses_expiry ON guesses (expires_at);

-- Who did what; rows are only ever added. id sorts by time.
CREATE TABLE audit (
    id         TEXT   NOT NULL PRIMARY KEY,
    at         BIGINT NOT NULL,
    event      TEXT   NOT NULL,
    reason     TEXT   NOT NULL DEFAULT '',
    actor      TEXT   NOT NULL DEFAULT '',
    user_id    TEXT   NOT NULL DEFAULT '',
    name       TEXT   NOT NULL DEFAULT '',
    client_id  TEXT   NOT NULL DEFAULT '',
    session_id TEXT   NOT NULL DEFAULT '',
    address    TEXT   NOT NULL DEFAULT '',
    request_id TEXT   NOT NULL DEFAULT '',
    detail     TEXT   NOT NULL DEFAULT ''
);
CREATE INDEX audit_user ON audit (user_id, id);

-- Work that one node at a time does (key rotation, sweeping, sealing).
CREATE TABLE leases (
    name        TEXT   NOT NULL PRIMARY KEY,
    holder      TEXT   NOT NULL,
    lease_until BIGINT NOT NULL
);
