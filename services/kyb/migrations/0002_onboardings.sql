SELECT make_saga_tables();

-- A deal with a counterparty that waits for the decision whether to deal with it.
CREATE TABLE onboardings (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    counterparty_id uuid NOT NULL,
    deal_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'cleared', 'refused')),
    -- The wish that the decision answers; null until the deal is held.
    request_id uuid,
    saga_id uuid NOT NULL,
    reason text,
    decided_by uuid,
    decided_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, counterparty_id) REFERENCES counterparties (organization_id, id),
    CHECK ((state = 'waiting') = (decided_at IS NULL))
);
CREATE UNIQUE INDEX onboardings_waiting ON onboardings (organization_id, counterparty_id, deal_id)
    WHERE state = 'waiting';
CREATE INDEX onboardings_of_counterparty ON onboardings (organization_id, counterparty_id, id);
SELECT protect_tenant_table('onboardings');
