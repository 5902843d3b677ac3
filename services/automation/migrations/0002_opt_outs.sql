-- Who has unsubscribed, as campaign says: rules write to them no more.
CREATE TABLE opt_outs (
    organization_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, contact_id)
);
SELECT protect_tenant_table('opt_outs');
