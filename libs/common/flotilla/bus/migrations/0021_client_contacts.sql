-- Whose contacts clients are, as auth says (flotilla.store.clients): called by the migration of a service that shows
-- clients something, before it opens a table to them (scope_clients).
CREATE FUNCTION keep_client_contacts() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE client_contacts (
        organization_id uuid NOT NULL,
        user_id uuid NOT NULL,
        contact_ids uuid[] NOT NULL,
        sequence bigint NOT NULL,
        PRIMARY KEY (organization_id, user_id)
    );
    PERFORM protect_tenant_table('client_contacts');
END $$;
