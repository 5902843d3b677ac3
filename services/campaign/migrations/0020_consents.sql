-- What people said about marketing, as crm tells it: what stands for or against writing to them.
CREATE TABLE marketing_consents (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    contact_id uuid NOT NULL,
    channel text NOT NULL,
    state text NOT NULL,
    basis text NOT NULL,
    said_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX marketing_consents_contact ON marketing_consents (organization_id, contact_id);
SELECT protect_tenant_table('marketing_consents');

-- Which law an organization writes by, and whether it wants consent on record from everybody.
CREATE TABLE consent_rules (
    organization_id uuid NOT NULL,
    id uuid NOT NULL CHECK (id = organization_id),
    sequence bigint NOT NULL DEFAULT 1,
    region text NOT NULL,
    strict boolean NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('consent_rules');
