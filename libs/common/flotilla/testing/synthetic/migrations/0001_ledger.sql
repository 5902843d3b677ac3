CREATE TABLE effects (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    note text,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('effects');

-- No unique key: an effect that happens twice shows.
CREATE TABLE applied (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
SELECT protect_tenant_table('applied');

CREATE TABLE companies (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('companies');
