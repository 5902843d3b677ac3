-- What a client of the organization sees: `flotilla.client` of its transaction names the person who asks, where they have
-- the role `client` (flotilla/security/reach.py); not set, or empty, means anybody else. A service that shows clients
-- something keeps whose contacts they are in `client_contacts`, and calls this for the table.
CREATE FUNCTION scope_clients(table_name text, contact text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE POLICY client ON %I AS RESTRICTIVE FOR SELECT TO %I USING ('
                   'coalesce(current_setting(''flotilla.client'', true), '''') = '''' OR EXISTS ('
                   'SELECT FROM client_contacts AS link WHERE link.organization_id = %I.organization_id'
                   ' AND link.user_id = nullif(current_setting(''flotilla.client'', true), '''')::uuid'
                   ' AND %I.%I = ANY (link.contact_ids)))',
                   table_name, regexp_replace(current_user, '_owner$', ''), table_name, table_name, contact);
END $$;
