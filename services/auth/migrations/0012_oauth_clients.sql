-- Partners' programs that fetch short-lived access tokens of their own (OAuth 2.0 client credentials).
CREATE TABLE oauth_clients (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    scopes text[] NOT NULL CHECK (cardinality(scopes) > 0),
    role text NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    secret_rotated_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    revoke_reason text CHECK (revoke_reason IN ('revoked', 'creator_changed')),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, created_by) REFERENCES users (organization_id, id),
    CHECK ((revoked_at IS NULL) = (revoke_reason IS NULL))
);
CREATE INDEX oauth_clients_live ON oauth_clients (organization_id, created_by) WHERE revoked_at IS NULL;
SELECT protect_tenant_table('oauth_clients');

-- Two are good while one takes over from the other: `expires_at` is the older one's.
CREATE TABLE oauth_client_secrets (
    secret_hash bytea PRIMARY KEY,
    organization_id uuid NOT NULL,
    client_id uuid NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    FOREIGN KEY (organization_id, client_id) REFERENCES oauth_clients (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX oauth_client_secrets_client ON oauth_client_secrets (organization_id, client_id);
CREATE INDEX oauth_client_secrets_expires_at ON oauth_client_secrets (expires_at) WHERE expires_at IS NOT NULL;
COMMENT ON TABLE oauth_client_secrets IS 'exempt: finds the organization and the client of a secret; SHA-256 of 256 random bits, and ids only';
