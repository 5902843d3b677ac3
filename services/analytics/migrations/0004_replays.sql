-- Replays that were wished for, and what the services answered.
CREATE TABLE replays (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    service text NOT NULL,
    projections text[] NOT NULL,
    -- types, subjects, since, organizations: as they were wished for.
    filter jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('requested', 'running', 'finished', 'failed')),
    reason text,
    events bigint,
    added bigint,
    updated bigint,
    removed bigint,
    requested_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('replays');
