-- The platform's own keys. Private halves are sealed under the master keys.

CREATE TABLE key_sets (
    id uuid PRIMARY KEY,
    sequence bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE key_sets IS 'exempt: the platform''s own; the one row is the lock and the count of changes of the signing keys';
INSERT INTO key_sets (id) VALUES ('00000000-0000-8000-8000-000000000001');

CREATE TABLE signing_keys (
    id uuid PRIMARY KEY,
    public_key bytea NOT NULL,
    sealed_private_key bytea NOT NULL,
    signs_from timestamptz NOT NULL,
    not_after timestamptz NOT NULL
);
CREATE INDEX signing_keys_not_after ON signing_keys (not_after);
COMMENT ON TABLE signing_keys IS 'exempt: the platform''s own; private halves are sealed';
