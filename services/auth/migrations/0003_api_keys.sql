-- Keys of programs. The key itself is nowhere: `verifier` is the SHA-256 of its 256 random bits, which nobody guesses.
CREATE TABLE api_keys (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    hint text NOT NULL,
    verifier bytea NOT NULL CHECK (length(verifier) = 32),
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    role text NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    revoke_reason text CHECK (revoke_reason IN ('revoked', 'creator_changed')),
    used_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, created_by) REFERENCES users (organization_id, id),
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);
COMMENT ON COLUMN api_keys.hint IS 'Its first characters, by which people tell keys apart.';
COMMENT ON COLUMN api_keys.used_at IS 'To the hour.';
CREATE INDEX api_keys_live ON api_keys (organization_id, created_by) WHERE revoked_at IS NULL;
SELECT protect_tenant_table('api_keys');
