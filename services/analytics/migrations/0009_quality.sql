-- How conversations were led, as people judge it.
CREATE TABLE quality_criteria (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    description text NOT NULL,
    weight int NOT NULL CHECK (weight BETWEEN 1 AND 100),
    most int NOT NULL CHECK (most BETWEEN 1 AND 100),
    active boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('quality_criteria');

CREATE TABLE quality_reviews (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    conversation_id uuid NOT NULL,
    agent_id uuid NOT NULL,
    reviewer_id uuid NOT NULL,
    -- 0 to 100.
    score numeric NOT NULL,
    -- [{criterion_id, name, score, most, weight}], as the criteria stood.
    scores jsonb NOT NULL,
    comment text,
    reviewed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, conversation_id, reviewer_id)
);
CREATE INDEX quality_reviews_agent ON quality_reviews (organization_id, agent_id, reviewed_at);
CREATE INDEX quality_reviews_listed ON quality_reviews (organization_id, reviewed_at DESC, id DESC);
SELECT protect_tenant_table('quality_reviews');
