-- What sales are measured by, and what the fold must remember of each deal and lead.

-- One row a metric, day (UTC) and combination of dimensions; the nil id or '' where a dimension does not apply.
-- Durations also go to buckets (flotilla_analytics.domain.histogram); what is only counted has the bucket -1.
CREATE TABLE sales_rollups (
    organization_id uuid NOT NULL,
    metric text NOT NULL,
    day date NOT NULL,
    pipeline_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    stage_id uuid NOT NULL,
    to_stage_id uuid NOT NULL,
    source text NOT NULL,
    part text NOT NULL,
    currency text NOT NULL,
    bucket smallint NOT NULL,
    count bigint NOT NULL,
    sum_ms bigint NOT NULL,
    -- In the currency's smallest unit: numeric, so that no sum of what somebody typed overflows.
    amount numeric NOT NULL,
    PRIMARY KEY (organization_id, metric, day, pipeline_id, owner_id, stage_id, to_stage_id, source, part, currency,
                 bucket)
);
SELECT protect_tenant_table('sales_rollups');

CREATE TABLE deal_facts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    -- The newest state by the owner's count.
    sequence bigint NOT NULL,
    pipeline_id uuid NOT NULL,
    owner_id uuid,
    source text NOT NULL,
    state text NOT NULL,
    amount_minor numeric,
    currency text,
    loss_reason text,
    created_at timestamptz NOT NULL,
    ended_at timestamptz,
    -- Every stage that any of its events tells of.
    reached uuid[] NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('deal_facts');

CREATE TABLE lead_facts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    owner_id uuid,
    source text NOT NULL,
    status text NOT NULL,
    qualified_at timestamptz NOT NULL,
    converted_at timestamptz,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('lead_facts');

-- What the stages are called and in which order they stand now: what a move was, forward or back, follows from it.
CREATE TABLE stage_facts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    pipeline_id uuid NOT NULL,
    name text NOT NULL,
    kind text NOT NULL,
    position bigint NOT NULL,
    archived boolean NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX stage_facts_pipeline ON stage_facts (organization_id, pipeline_id, position);
SELECT protect_tenant_table('stage_facts');
