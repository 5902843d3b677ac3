SELECT make_saga_tables();

-- Who may own a deal, and whom a deal may be with: copies of auth's people and crm's contacts and companies.
CREATE TABLE users (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    role text NOT NULL,
    active boolean NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('users');

CREATE TABLE contacts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    name text,
    company_id uuid,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('contacts');

CREATE TABLE companies (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    name text NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('companies');

CREATE TABLE pipelines (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    is_default boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
CREATE UNIQUE INDEX pipelines_default ON pipelines (organization_id) WHERE is_default;
SELECT protect_tenant_table('pipelines');

CREATE TABLE stages (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    pipeline_id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('open', 'won', 'lost')),
    position int NOT NULL CHECK (position > 0),
    probability int NOT NULL CHECK (probability BETWEEN 0 AND 100),
    required_fields text[] NOT NULL DEFAULT '{}',
    archived boolean NOT NULL DEFAULT false,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, pipeline_id, id),
    UNIQUE (organization_id, pipeline_id, position) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (organization_id, pipeline_id) REFERENCES pipelines (organization_id, id)
);
SELECT protect_tenant_table('stages');

-- `rank` orders the deals of a stage: a fraction in base 62, so that one moves without the others being written.
CREATE TABLE deals (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    pipeline_id uuid NOT NULL,
    stage_id uuid NOT NULL,
    rank text COLLATE "C" NOT NULL,
    title text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'won', 'closed', 'lost')),
    value_minor bigint CHECK (value_minor >= 0),
    currency text,
    own_probability int CHECK (own_probability BETWEEN 0 AND 100),
    contact_id uuid,
    company_id uuid,
    conversation_id uuid,
    owner_id uuid,
    expected_close_on date,
    source text NOT NULL CHECK (source IN ('lead', 'manual', 'api')),
    loss_reason text,
    qualification_id uuid,
    entered_stage_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (organization_id, id),
    CHECK ((value_minor IS NULL) = (currency IS NULL)),
    CHECK ((loss_reason IS NOT NULL) = (state = 'lost')),
    FOREIGN KEY (organization_id, pipeline_id, stage_id) REFERENCES stages (organization_id, pipeline_id, id)
);
-- One deal with a person at a time in a pipeline; one that is being invoiced may come back, so it counts.
CREATE UNIQUE INDEX deals_with_contact ON deals (organization_id, pipeline_id, contact_id)
    WHERE contact_id IS NOT NULL AND state IN ('open', 'won');
CREATE INDEX deals_board ON deals (organization_id, stage_id, rank, id);
CREATE INDEX deals_pipeline ON deals (organization_id, pipeline_id, state, id);
CREATE INDEX deals_contact ON deals (organization_id, contact_id, id);
CREATE INDEX deals_company ON deals (organization_id, company_id, id);
CREATE INDEX deals_owner ON deals (organization_id, owner_id, id);
SELECT protect_tenant_table('deals');

CREATE TABLE moves (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    deal_id uuid NOT NULL,
    from_stage_id uuid NOT NULL,
    to_stage_id uuid NOT NULL,
    actor text,
    reason text,
    seconds_in_stage bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, deal_id) REFERENCES deals (organization_id, id)
);
CREATE INDEX moves_of_deal ON moves (organization_id, deal_id, id DESC);
SELECT protect_tenant_table('moves');
