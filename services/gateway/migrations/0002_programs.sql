-- What decides about programs and plans, as auth and billing tell it; read into memory by every process.

CREATE TABLE api_keys (
    api_key_id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    sequence bigint NOT NULL,
    verifier bytea,
    scopes text[] NOT NULL,
    role text NOT NULL,
    created_by uuid NOT NULL,
    expires_at timestamptz,
    revoked boolean NOT NULL
);
COMMENT ON TABLE api_keys IS
    'exempt: SHA-256 of keys, looked up before the tenant is known; a revoked one stays, so that a late word of its making changes nothing';

CREATE TABLE api_key_uses (
    api_key_id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    used_hour timestamptz NOT NULL
);
COMMENT ON TABLE api_key_uses IS 'exempt: the last hour that was told of for each key, by whichever process was called';

CREATE TABLE entitlements (
    organization_id uuid NOT NULL,
    feature text NOT NULL,
    sequence bigint NOT NULL,
    enabled boolean NOT NULL,
    usage_limit bigint,
    used_up boolean NOT NULL,
    period_ends_at timestamptz,
    PRIMARY KEY (organization_id, feature)
);
COMMENT ON TABLE entitlements IS 'exempt: what each plan allows now, read for all organizations at once';
COMMENT ON COLUMN entitlements.period_ends_at IS 'When what is used up may be used anew; null: when billing says so.';
