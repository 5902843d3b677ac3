-- Which contacts a client of the organization is: the one they were invited as, then those that merges brought, each
-- beside its merge (none: the first), in their order.
CREATE TABLE clients (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    contact_ids uuid[] NOT NULL,
    merge_ids uuid[] NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, user_id),
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id) ON DELETE CASCADE,
    CHECK (cardinality(contact_ids) = cardinality(merge_ids))
);
SELECT protect_tenant_table('clients');

ALTER TABLE invitations ADD COLUMN contact_id uuid;
