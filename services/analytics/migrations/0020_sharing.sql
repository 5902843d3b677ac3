-- Whose numbers an organization may see beside its own, as auth tells it.
CREATE TABLE analytics_grants (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    grantor_id uuid NOT NULL,
    good boolean NOT NULL,
    expires_at timestamptz,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('analytics_grants');
