-- +goose Up

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
