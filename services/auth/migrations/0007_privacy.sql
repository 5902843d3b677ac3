-- What people of an organization want erased or brought together, and what each service answered.
CREATE TABLE privacy_requests (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    what text NOT NULL CHECK (what IN ('erasure', 'export')),
    kind text NOT NULL CHECK (kind IN ('person', 'organization')),
    contact_id uuid,
    user_id uuid,
    contact_ids uuid[] NOT NULL DEFAULT '{}',
    identity_ids uuid[] NOT NULL DEFAULT '{}',
    user_ids uuid[] NOT NULL DEFAULT '{}',
    state text NOT NULL CHECK (state IN ('resolving', 'running', 'collecting', 'done', 'failed', 'expired')),
    reason text,
    attempt int NOT NULL DEFAULT 1,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    report text,
    archive jsonb,
    PRIMARY KEY (organization_id, id),
    CHECK (num_nonnulls(contact_id, user_id) = CASE kind WHEN 'person' THEN 1 ELSE 0 END)
);
COMMENT ON COLUMN privacy_requests.report IS 'What each service did, signed (RFC 7515, compact).';
COMMENT ON COLUMN privacy_requests.archive IS '{"path": …, "size": …, "sha256": …, "expires_at": …} in the file store.';
CREATE INDEX privacy_requests_newest ON privacy_requests (organization_id, what, id DESC);
SELECT protect_tenant_table('privacy_requests');

CREATE TABLE privacy_answers (
    organization_id uuid NOT NULL,
    request_id uuid NOT NULL,
    service text NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'completed', 'failed')),
    result jsonb NOT NULL DEFAULT '{}',
    reason text,
    answered_at timestamptz,
    PRIMARY KEY (organization_id, request_id, service),
    FOREIGN KEY (organization_id, request_id) REFERENCES privacy_requests (organization_id, id) ON DELETE CASCADE
);
SELECT protect_tenant_table('privacy_answers');

CREATE TABLE privacy_links (
    token_hash bytea PRIMARY KEY,
    organization_id uuid NOT NULL,
    request_id uuid NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX privacy_links_expires_at ON privacy_links (expires_at);
COMMENT ON TABLE privacy_links IS 'exempt: finds the organization and the request of a link; hashes and ids only';

-- Public halves of keys that signed a report: access tokens forget theirs, reports are looked at years later.
CREATE TABLE report_keys (
    id uuid PRIMARY KEY,
    public_key bytea NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE report_keys IS 'exempt: public keys of the platform, published to all';

CREATE TABLE feature_flags (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    key text NOT NULL,
    environment text NOT NULL CHECK (environment IN ('development', 'staging', 'production', 'any')),
    enabled boolean NOT NULL,
    percentage int NOT NULL CHECK (percentage BETWEEN 0 AND 100),
    description text NOT NULL,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'deleted')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
CREATE UNIQUE INDEX feature_flags_key ON feature_flags (organization_id, key, environment) WHERE state = 'active';
SELECT protect_tenant_table('feature_flags');
