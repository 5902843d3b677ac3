CREATE TABLE rules (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    state text NOT NULL CHECK (state IN ('enabled', 'disabled', 'deleted')),
    position integer NOT NULL,
    version integer NOT NULL DEFAULT 1,
    trigger text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX rules_listed ON rules (organization_id, position, id) WHERE state <> 'deleted';
CREATE INDEX rules_triggered ON rules (organization_id, trigger, position, id) WHERE state = 'enabled';
SELECT protect_tenant_table('rules');

-- What a rule said in each of its versions; never changed, so that a run ends as it began.
CREATE TABLE rule_versions (
    organization_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    version integer NOT NULL,
    trigger text NOT NULL,
    condition jsonb,
    actions jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, rule_id, version),
    FOREIGN KEY (organization_id, rule_id) REFERENCES rules (organization_id, id)
);
SELECT protect_tenant_table('rule_versions');

-- One event triggers one rule once, whichever its version was then.
CREATE TABLE runs (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    rule_id uuid NOT NULL,
    version integer NOT NULL,
    event_id uuid NOT NULL,
    event_type text NOT NULL,
    subject text NOT NULL,
    correlation_id uuid NOT NULL,
    depth integer NOT NULL,
    state text NOT NULL,
    reason text,
    step integer NOT NULL,
    clock timestamptz NOT NULL,
    conversation_id uuid,
    awaits text CHECK (awaits IN ('customer', 'team')),
    after_position integer,
    explanation jsonb NOT NULL,
    event text,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, rule_id, event_id),
    FOREIGN KEY (organization_id, rule_id, version) REFERENCES rule_versions (organization_id, rule_id, version)
);
CREATE INDEX runs_listed ON runs (organization_id, rule_id, id);
CREATE INDEX runs_correlated ON runs (organization_id, correlation_id, depth);
CREATE INDEX runs_awaiting ON runs (organization_id, conversation_id) WHERE awaits IS NOT NULL;
CREATE INDEX runs_live ON runs (organization_id, rule_id, version) WHERE ended_at IS NULL;
CREATE INDEX runs_ended ON runs (organization_id, ended_at);
SELECT protect_tenant_table('runs');

-- The ledger: a step of a version is done for an event once, whatever is delivered or begun again.
CREATE TABLE effects (
    organization_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    version integer NOT NULL,
    event_id uuid NOT NULL,
    step integer NOT NULL,
    run_id uuid NOT NULL,
    kind text NOT NULL,
    request_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'begun' CHECK (state IN ('begun', 'done', 'failed', 'ended')),
    reason text,
    begun_at timestamptz NOT NULL DEFAULT now(),
    over_at timestamptz,
    PRIMARY KEY (organization_id, rule_id, version, event_id, step),
    UNIQUE (organization_id, request_id),
    FOREIGN KEY (organization_id, run_id) REFERENCES runs (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX effects_of_run ON effects (organization_id, run_id, step);
SELECT protect_tenant_table('effects');

-- The newest events of each type that is bound, for trying rules out; swept after some days.
CREATE TABLE recent_events (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    event text NOT NULL,
    kept_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX recent_events_of_type ON recent_events (organization_id, type, id);
CREATE INDEX recent_events_kept ON recent_events (organization_id, kept_at);
SELECT protect_tenant_table('recent_events');

-- How far each side has written in a conversation: a reply may come before the run that waits to miss it.
CREATE TABLE conversation_positions (
    organization_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    side text NOT NULL CHECK (side IN ('customer', 'team')),
    position integer NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, conversation_id, side)
);
CREATE INDEX conversation_positions_moved ON conversation_positions (organization_id, moved_at);
SELECT protect_tenant_table('conversation_positions');

CREATE TABLE minutes (
    organization_id uuid NOT NULL,
    minute timestamptz NOT NULL,
    runs integer NOT NULL,
    PRIMARY KEY (organization_id, minute)
);
SELECT protect_tenant_table('minutes');

-- Which types of events the versions of rules need, of all organizations at once: it decides what the lane binds.
-- `retired_at`: the version is not the rule's any more; its rows go when its last run is over.
CREATE TABLE wanted_types (
    type text NOT NULL,
    organization_id uuid NOT NULL,
    rule_id uuid NOT NULL,
    version integer NOT NULL,
    retired_at timestamptz,
    PRIMARY KEY (type, organization_id, rule_id, version)
);
CREATE INDEX wanted_types_retired ON wanted_types (retired_at) WHERE retired_at IS NOT NULL;
CREATE INDEX wanted_types_rule ON wanted_types (organization_id, rule_id);
COMMENT ON TABLE wanted_types IS 'exempt: ids and names of contracts; the lane is bound for all organizations';

CREATE TABLE bound_types (
    type text PRIMARY KEY,
    wanted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bound_types IS 'exempt: names of contracts that the lane is bound to';

-- Organizations that have something to sweep.
CREATE TABLE organizations (
    id uuid PRIMARY KEY
);
COMMENT ON TABLE organizations IS 'exempt: ids of organizations that have had a rule';
