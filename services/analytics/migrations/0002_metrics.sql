-- What metrics are read from, and what the fold must remember of each conversation.

-- One row a metric, day (UTC) and combination of dimensions; '' where a dimension does not apply. Durations also
-- go to buckets (flotilla_analytics.domain.histogram); counts have the bucket -1.
CREATE TABLE rollups (
    organization_id uuid NOT NULL,
    metric text NOT NULL,
    day date NOT NULL,
    channel text NOT NULL,
    agent text NOT NULL,
    part text NOT NULL,
    bucket smallint NOT NULL,
    count bigint NOT NULL,
    sum_ms bigint NOT NULL,
    PRIMARY KEY (organization_id, metric, day, channel, agent, part, bucket)
);
SELECT protect_tenant_table('rollups');

CREATE TABLE conversation_facts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    channel text NOT NULL,
    -- The first answer: when it reached the channel, which message, and when what it answers had come.
    first_reply_at timestamptz,
    first_reply_id uuid,
    first_asked_at timestamptz,
    -- The newest state by the owner's count.
    sequence bigint NOT NULL,
    opened_at timestamptz,
    resolved_at timestamptz,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('conversation_facts');
