-- +goose Up

-- Names that differ in the case of their letters alone are one person to many
-- applications, so a new user gets none that is somebody's but for that.
CREATE INDEX users_name_folded ON users (lower(name));
