-- Saved questions, and the files that were made of them.
CREATE TABLE reports (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    measure text NOT NULL,
    dimensions text[] NOT NULL,
    filters jsonb NOT NULL,
    granularity text NOT NULL,
    period text NOT NULL,
    format text NOT NULL CHECK (format IN ('csv', 'json', 'xlsx')),
    -- {every, hour, weekday, day, time_zone}; null: on request only.
    schedule jsonb,
    recipients uuid[] NOT NULL,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('reports');

CREATE TABLE report_runs (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    report_id uuid NOT NULL,
    -- Null where its schedule asked.
    requested_by uuid,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'ready', 'failed', 'expired')),
    reason text,
    day_from date NOT NULL,
    day_to date NOT NULL,
    format text NOT NULL,
    rows bigint,
    size bigint,
    requested_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    expires_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, report_id) REFERENCES reports (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX report_runs_listed ON report_runs (organization_id, report_id, id DESC);
SELECT protect_tenant_table('report_runs');
