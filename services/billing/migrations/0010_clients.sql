-- Whose contacts clients are, as auth says: they see the invoices of these, and no others.
CREATE TABLE client_contacts (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    contact_ids uuid[] NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
SELECT protect_tenant_table('client_contacts');
SELECT scope_clients('invoices', 'contact_id');
