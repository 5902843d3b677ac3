-- How long an organization keeps kinds of data, where it has decided so itself, and its legal hold.
CREATE TABLE retention (
    organization_id uuid NOT NULL,
    id uuid NOT NULL CHECK (id = organization_id),
    sequence bigint NOT NULL DEFAULT 1,
    periods jsonb NOT NULL DEFAULT '{}',
    held text[] NOT NULL DEFAULT '{}',
    reason text,
    PRIMARY KEY (organization_id, id)
);
COMMENT ON COLUMN retention.periods IS '{"messages": 365, "calls": null}: days, null as long as it is there';
SELECT protect_tenant_table('retention');
