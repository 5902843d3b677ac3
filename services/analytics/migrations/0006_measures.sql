-- Metrics that people and partners define, and goals on any measure.

CREATE TABLE custom_metrics (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    title text NOT NULL,
    unit text NOT NULL,
    aggregation text NOT NULL CHECK (aggregation IN ('sum', 'average', 'count')),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, name)
);
SELECT protect_tenant_table('custom_metrics');

-- Each point once, by the name that whoever measured gave it.
CREATE TABLE metric_points (
    organization_id uuid NOT NULL,
    metric_id uuid NOT NULL,
    id text NOT NULL,
    at timestamptz NOT NULL,
    value numeric NOT NULL,
    PRIMARY KEY (organization_id, metric_id, id),
    FOREIGN KEY (organization_id, metric_id) REFERENCES custom_metrics (organization_id, id)
);
SELECT protect_tenant_table('metric_points');

-- Their sums by day (UTC), written with them.
CREATE TABLE metric_days (
    organization_id uuid NOT NULL,
    metric text NOT NULL,
    day date NOT NULL,
    count bigint NOT NULL,
    total numeric NOT NULL,
    PRIMARY KEY (organization_id, metric, day)
);
SELECT protect_tenant_table('metric_days');

CREATE TABLE goals (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    measure text NOT NULL,
    filters jsonb NOT NULL,
    target numeric NOT NULL CHECK (target > 0),
    granularity text NOT NULL CHECK (granularity IN ('day', 'week', 'month', 'quarter', 'year')),
    begins_on date NOT NULL,
    owner_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('goals');

-- Once a goal and period, whatever the number does afterwards.
CREATE TABLE goal_reaches (
    organization_id uuid NOT NULL,
    goal_id uuid NOT NULL,
    period_from date NOT NULL,
    value numeric NOT NULL,
    reached_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, goal_id, period_from),
    FOREIGN KEY (organization_id, goal_id) REFERENCES goals (organization_id, id) ON DELETE CASCADE
);
SELECT protect_tenant_table('goal_reaches');
