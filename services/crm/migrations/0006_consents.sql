-- What a person allowed: how it stands, one row for each contact, channel and purpose, and how it came about.
CREATE TABLE consents (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    contact_id uuid NOT NULL,
    channel text NOT NULL,
    purpose text NOT NULL CHECK (purpose IN ('marketing', 'service', 'analytics', 'profiling')),
    state text NOT NULL CHECK (state IN ('granted', 'withdrawn')),
    legal_basis text NOT NULL,
    source text NOT NULL,
    evidence text,
    actor text,
    said_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, contact_id, purpose, channel),
    FOREIGN KEY (organization_id, contact_id) REFERENCES contacts (organization_id, id) ON DELETE CASCADE
);
SELECT protect_tenant_table('consents');

-- Everything that was ever said, what came too late to count too.
CREATE TABLE consent_records (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    contact_id uuid NOT NULL,
    channel text NOT NULL,
    purpose text NOT NULL,
    state text NOT NULL,
    legal_basis text NOT NULL,
    source text NOT NULL,
    evidence text,
    actor text,
    said_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, contact_id) REFERENCES contacts (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX consent_records_contact ON consent_records (organization_id, contact_id, id DESC);
SELECT protect_tenant_table('consent_records');
