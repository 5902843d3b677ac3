CREATE TABLE counterparties (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    country text NOT NULL,
    vat_number text,
    lei text,
    registry_number text,
    monitoring text NOT NULL CHECK (monitoring IN ('none', 'daily', 'weekly')),
    state text NOT NULL DEFAULT 'unchecked' CHECK (state IN ('unchecked', 'verified', 'invalid', 'unverified')),
    risk_score int NOT NULL DEFAULT 0 CHECK (risk_score BETWEEN 0 AND 100),
    risk_level text NOT NULL DEFAULT 'low' CHECK (risk_level IN ('low', 'medium', 'high')),
    checked_at timestamptz,
    -- What stood against it at the last check, as [type, key]: an alert is raised for what is not among them.
    findings jsonb NOT NULL DEFAULT '[]',
    -- Checks in a row that a register left unanswered: what the next try waits for grows with them.
    unanswered_checks int NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, vat_number),
    UNIQUE (organization_id, lei)
);
CREATE INDEX counterparties_state ON counterparties (organization_id, state, id);
CREATE INDEX counterparties_risk ON counterparties (organization_id, risk_level, id);
CREATE INDEX counterparties_country ON counterparties (organization_id, country, id);
SELECT protect_tenant_table('counterparties');

-- What each register last said of a counterparty, and since when it has not been to be had.
CREATE TABLE standings (
    organization_id uuid NOT NULL,
    counterparty_id uuid NOT NULL,
    source text NOT NULL,
    verdict text CHECK (verdict IN ('valid', 'invalid')),
    fields jsonb NOT NULL DEFAULT '{}',
    check_id uuid,
    confirmed_at timestamptz,
    unanswered_since timestamptz,
    reason text,
    PRIMARY KEY (organization_id, counterparty_id, source),
    FOREIGN KEY (organization_id, counterparty_id) REFERENCES counterparties (organization_id, id),
    CHECK ((verdict IS NULL) = (confirmed_at IS NULL))
);
SELECT protect_tenant_table('standings');

CREATE TABLE checks (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    counterparty_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason IN ('created', 'changed', 'asked', 'scheduled', 'unanswered')),
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'ended', 'superseded')),
    -- The identity as it was when the registers were asked about it.
    asked jsonb NOT NULL,
    actor text,
    started_at timestamptz NOT NULL DEFAULT now(),
    deadline_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, counterparty_id) REFERENCES counterparties (organization_id, id)
);
CREATE UNIQUE INDEX checks_running ON checks (organization_id, counterparty_id) WHERE state = 'running';
CREATE INDEX checks_of_counterparty ON checks (organization_id, counterparty_id, id);
SELECT protect_tenant_table('checks');

CREATE TABLE check_results (
    organization_id uuid NOT NULL,
    check_id uuid NOT NULL,
    source text NOT NULL,
    verdict text CHECK (verdict IN ('valid', 'invalid', 'unverified')),
    reason text,
    fields jsonb NOT NULL DEFAULT '{}',
    ended_at timestamptz,
    PRIMARY KEY (organization_id, check_id, source),
    FOREIGN KEY (organization_id, check_id) REFERENCES checks (organization_id, id),
    CHECK ((verdict IS NULL) = (ended_at IS NULL))
);
SELECT protect_tenant_table('check_results');

-- Raw answers, byte for byte. Written once, never changed.
CREATE TABLE evidence (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    check_id uuid NOT NULL,
    source text NOT NULL,
    request text NOT NULL,
    status int NOT NULL,
    media_type text NOT NULL,
    body bytea NOT NULL,
    sha256 bytea NOT NULL CHECK (sha256 = sha256(body)),
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, check_id) REFERENCES checks (organization_id, id)
);
CREATE INDEX evidence_of_check ON evidence (organization_id, check_id, fetched_at, id);
SELECT protect_tenant_table('evidence');

CREATE TABLE snapshots (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    counterparty_id uuid NOT NULL,
    check_id uuid NOT NULL,
    taken_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL,
    risk_score int NOT NULL,
    risk_level text NOT NULL,
    reasons jsonb NOT NULL,
    sources jsonb NOT NULL,
    fields jsonb NOT NULL,
    changed jsonb NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, check_id),
    FOREIGN KEY (organization_id, counterparty_id) REFERENCES counterparties (organization_id, id),
    FOREIGN KEY (organization_id, check_id) REFERENCES checks (organization_id, id)
);
CREATE INDEX snapshots_of_counterparty ON snapshots (organization_id, counterparty_id, id);
SELECT protect_tenant_table('snapshots');

CREATE TABLE alerts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    counterparty_id uuid NOT NULL,
    check_id uuid NOT NULL,
    type text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    detail text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'acknowledged')),
    raised_at timestamptz NOT NULL DEFAULT now(),
    acknowledged_at timestamptz,
    acknowledged_by uuid,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, counterparty_id) REFERENCES counterparties (organization_id, id),
    FOREIGN KEY (organization_id, check_id) REFERENCES checks (organization_id, id)
);
CREATE INDEX alerts_state ON alerts (organization_id, state, id);
CREATE INDEX alerts_of_counterparty ON alerts (organization_id, counterparty_id, id);
SELECT protect_tenant_table('alerts');

-- Whether a register answers this organization; `scope` is the member state whose part of it this is, or empty.
CREATE TABLE sources (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    source text NOT NULL,
    scope text NOT NULL,
    state text NOT NULL CHECK (state IN ('up', 'down')),
    reason text,
    since timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, source, scope)
);
SELECT protect_tenant_table('sources');

-- When a register may next be asked, whoever it is for: all processes take their turns here.
CREATE TABLE paces (
    id uuid PRIMARY KEY,
    next_at timestamptz NOT NULL
);
COMMENT ON TABLE paces IS 'exempt: the next moment of each register, shared by all; no tenant''s data';
