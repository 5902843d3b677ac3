-- Why a deal cannot be won for now: one row for each that wants it held, by an id of its own.
CREATE TABLE holds (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    deal_id uuid NOT NULL,
    reason text NOT NULL,
    held_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, deal_id) REFERENCES deals (organization_id, id)
);
CREATE INDEX holds_of_deal ON holds (organization_id, deal_id, id);
SELECT protect_tenant_table('holds');
