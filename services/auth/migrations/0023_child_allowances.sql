-- Whether the organization's plan lets it look after others, as billing says; none: it does not.
CREATE TABLE child_allowances (
    organization_id uuid NOT NULL,
    enabled boolean NOT NULL,
    used_up boolean NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id)
);
SELECT protect_tenant_table('child_allowances');
