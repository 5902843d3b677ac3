CREATE TABLE commerce_orders (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    external_id text NOT NULL,
    state text NOT NULL,
    digest text NOT NULL,
    updated_at timestamptz NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, account_id) REFERENCES accounts (organization_id, id)
);
COMMENT ON TABLE commerce_orders IS 'How far each order of a shop was told; who ordered what stands in events alone.';
COMMENT ON COLUMN commerce_orders.digest IS 'Of what was told: said again, it is no change.';
COMMENT ON COLUMN commerce_orders.updated_at IS 'By the shop''s clock: what is older comes too late.';
SELECT protect_tenant_table('commerce_orders');

CREATE TABLE hook_deliveries (
    id uuid PRIMARY KEY,
    received_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE hook_deliveries IS 'exempt: hashes of vendors'' ids of deliveries, and when they came';
CREATE INDEX hook_deliveries_received_at ON hook_deliveries (received_at);

CREATE TABLE voice_calls (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    external_id text,
    direction text NOT NULL CHECK (direction IN ('inbound', 'outbound')),
    state text NOT NULL CHECK (state IN ('requested', 'placed', 'completed', 'failed', 'unconfirmed')),
    contact_id uuid,
    identity_id uuid NOT NULL,
    number text,
    assistant text,
    ended_reason text,
    started_at timestamptz,
    ended_at timestamptz,
    duration_seconds integer,
    cost_usd numeric,
    summary text,
    transcript text,
    recording_url text,
    created_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, account_id) REFERENCES accounts (organization_id, id)
);
CREATE INDEX voice_calls_external ON voice_calls (organization_id, account_id, external_id);
SELECT protect_tenant_table('voice_calls');

CREATE TABLE external_records (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    object_type text NOT NULL,
    external_id text NOT NULL,
    digests jsonb NOT NULL DEFAULT '{}',
    deleted boolean NOT NULL DEFAULT false,
    updated_at timestamptz NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, account_id) REFERENCES accounts (organization_id, id)
);
COMMENT ON COLUMN external_records.digests IS 'Of each field''s value: what differs is told, and no value is kept.';
SELECT protect_tenant_table('external_records');
