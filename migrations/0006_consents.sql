-- +goose Up

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
