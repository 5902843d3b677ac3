SELECT make_saga_tables();
SELECT make_wish_table();

CREATE TABLE parcels (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('parcels');

CREATE TABLE copies (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('copies');

-- No unique key: an effect that happens twice shows.
CREATE TABLE effects (
    organization_id uuid NOT NULL,
    name text NOT NULL,
    parcel_id uuid NOT NULL
);
SELECT protect_tenant_table('effects');
