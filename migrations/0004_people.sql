-- +goose Up

-- Every way to log in, and a home for the account. The previous release runs beside
-- it and knows none of this: demand second factors when no older binary is about.

-- A login that has shown who somebody is, and waits for another factor: a document
-- of package store (Pending), empty for none; and the SHA-256 of the cookie that its
-- browser got for this step.
ALTER TABLE login_requests ADD COLUMN pending TEXT NOT NULL DEFAULT '';
ALTER TABLE login_requests ADD COLUMN step_hash BYTEA NOT NULL DEFAULT '';
ALTER TABLE login_requests ADD COLUMN step_up BOOLEAN NOT NULL DEFAULT FALSE;

-- Of a session: how long it may go unused (0: as an older binary has it), whether its
-- person wanted this device remembered, and where they logged in before they came
-- here: a document of package store (UpstreamSession), empty for none.
ALTER TABLE sessions ADD COLUMN idle_for BIGINT NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN remembered BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE sessions ADD COLUMN upstream TEXT NOT NULL DEFAULT '';

-- Of a session that a directory lets outlive its Kerberos ticket: when the ticket
-- alone would have ended it (0: there is no such end). Of an identity: whether the
-- directory has ever had it, so that one that is gone there is known to be.
ALTER TABLE sessions ADD COLUMN ticket_end BIGINT NOT NULL DEFAULT 0;
ALTER TABLE identities ADD COLUMN in_directory BOOLEAN NOT NULL DEFAULT FALSE;

-- What an outside source calls somebody, for people to recognise; never looked up.
ALTER TABLE identities ADD COLUMN label TEXT NOT NULL DEFAULT '';
ALTER TABLE identities ADD COLUMN groups TEXT NOT NULL DEFAULT '[]';
ALTER TABLE identities ADD COLUMN used_at BIGINT NOT NULL DEFAULT 0;

-- What somebody has beside their first factor: kind is totp or passkey. key is the
-- credential id of a passkey and the id again of a time-based code. data is the
-- secret of time-based codes, sealed under secret_key_file, or the public key of a
-- passkey. counter is the last time step or signature count that was accepted: it
-- only ever grows, by one conditional statement (RFC 6238 §5.2).
CREATE TABLE factors (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind       TEXT   NOT NULL,
    key        BYTEA  NOT NULL UNIQUE,
    name       TEXT   NOT NULL DEFAULT '',
    data       BYTEA  NOT NULL,
    counter    BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX factors_user ON factors (user_id);

-- Recovery codes, by a keyed hash: each is good once.
CREATE TABLE recovery_codes (
    user_id    TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    hash       BYTEA  NOT NULL,
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, hash)
);

-- A login on its way at an upstream: one row per request sent there, by the SHA-256
-- of its state parameter, good once. login_id is the login request that it is for, or,
-- where it is to be linked to link_user_id, the session of that user which asked for
-- it: one of each at most. min_auth_time is when its person must have acted there at
-- the earliest; 0: whenever.
CREATE TABLE upstream_logins (
    hash         BYTEA  NOT NULL PRIMARY KEY,
    login_id     TEXT   NOT NULL,
    browser_hash BYTEA  NOT NULL,
    upstream     TEXT   NOT NULL,
    nonce        TEXT   NOT NULL,
    verifier     TEXT   NOT NULL,
    link_user_id TEXT   NOT NULL DEFAULT '',
    min_auth_time BIGINT NOT NULL DEFAULT 0,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL
);
CREATE INDEX upstream_logins_login ON upstream_logins (login_id);
CREATE INDEX upstream_logins_expiry ON upstream_logins (expires_at);

-- One-time links that an administrator makes, by the SHA-256 of what is in them:
-- purpose is invitation or reset. browser_hash is the SHA-256 of a cookie of the first
-- browser that opened it, the only one that may use it; empty: nobody has. email is the
-- address that alone was told of it; empty: an administrator has it.
CREATE TABLE links (
    hash         BYTEA  NOT NULL PRIMARY KEY,
    user_id      TEXT   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    purpose      TEXT   NOT NULL,
    email        TEXT   NOT NULL DEFAULT '',
    browser_hash BYTEA  NOT NULL DEFAULT '',
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    used_at      BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX links_user ON links (user_id);
CREATE INDEX links_browser ON links (browser_hash);
CREATE INDEX links_expiry ON links (expires_at);

-- Mail that waits to be sent, or is being tried again; kind and data (JSON) say what
-- is in it. next_at is when the next attempt is due and, while somebody makes one,
-- until when it is theirs. Written in the transaction of what it tells of.
CREATE TABLE mails (
    id         TEXT   NOT NULL PRIMARY KEY,
    user_id    TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    data       TEXT   NOT NULL,
    attempts   BIGINT NOT NULL DEFAULT 0,
    next_at    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX mails_due ON mails (next_at);
CREATE INDEX mails_expiry ON mails (expires_at);

-- Of a grant: whether a person allowed it to a device (RFC 8628), and the address
-- that the device asked from, for that person to recognise it.
ALTER TABLE grants ADD COLUMN device BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE grants ADD COLUMN address TEXT NOT NULL DEFAULT '';

-- What the browser of an entry said it was, in words of package useragent.
ALTER TABLE audit ADD COLUMN agent TEXT NOT NULL DEFAULT '';

-- Passwords that were wrong, for the address that brought them: each pair of a name
-- and a password once, by a keyed hash. wide is the network around that of an address
-- of IPv6, and the address of IPv4. Rows are short-lived, and an address has no more
-- of them than what it takes to be refused.
CREATE TABLE wrong_passwords (
    network    TEXT   NOT NULL,
    hash       BYTEA  NOT NULL,
    wide       TEXT   NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (network, hash)
);
CREATE INDEX wrong_passwords_wide ON wrong_passwords (wide);
CREATE INDEX wrong_passwords_expiry ON wrong_passwords (expires_at);
