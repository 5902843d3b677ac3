-- What stands for or against promoting to people: what they said, where they live, and by which rule organizations go, as
-- crm and campaign tell it.
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

CREATE TABLE contact_regions (
    organization_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    region text,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, contact_id)
);
COMMENT ON COLUMN contact_regions.region IS 'By their telephone number; null: none that has a rule of its own.';
SELECT protect_tenant_table('contact_regions');

CREATE TABLE consent_rules (
    organization_id uuid NOT NULL,
    region text NOT NULL,
    strict boolean NOT NULL,
    known boolean NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id)
);
SELECT protect_tenant_table('consent_rules');
