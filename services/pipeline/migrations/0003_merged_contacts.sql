-- A contact that crm merged into another or deleted stays as a tombstone: nothing late brings it back.
ALTER TABLE contacts ADD COLUMN gone boolean NOT NULL DEFAULT false;
ALTER TABLE contacts ADD COLUMN merged_into uuid;
ALTER TABLE contacts ADD CHECK (gone OR merged_into IS NULL);

-- Which deals a merge led to the contact that stayed, for the day it is undone.
CREATE TABLE merged_deals (
    organization_id uuid NOT NULL,
    merge_id uuid NOT NULL,
    deal_id uuid NOT NULL,
    PRIMARY KEY (organization_id, merge_id, deal_id),
    FOREIGN KEY (organization_id, deal_id) REFERENCES deals (organization_id, id)
);
SELECT protect_tenant_table('merged_deals');
