-- Under whose law of marketing people live, by their telephone numbers, as crm tells it; null: under none of its own.
CREATE TABLE contact_regions (
    organization_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    region text,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, contact_id)
);
SELECT protect_tenant_table('contact_regions');
