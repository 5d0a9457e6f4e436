-- +goose Up

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
