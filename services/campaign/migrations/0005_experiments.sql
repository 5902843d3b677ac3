-- Steps with several texts: which one does best, decided once.
CREATE TABLE experiments (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    sequence_id uuid NOT NULL,
    version integer NOT NULL,
    step integer NOT NULL,
    metric text NOT NULL CHECK (metric IN ('replied', 'clicked', 'opened')),
    least integer NOT NULL,
    confidence double precision NOT NULL,
    looks integer NOT NULL DEFAULT 0,
    winner text,
    begun_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, sequence_id, version, step),
    FOREIGN KEY (organization_id, sequence_id, version)
        REFERENCES sequence_versions (organization_id, sequence_id, version)
);
COMMENT ON COLUMN experiments.looks IS 'How often the numbers were looked at: each look spends a part of what may be wrong.';
SELECT protect_tenant_table('experiments');
