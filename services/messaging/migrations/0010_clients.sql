-- Clients see what was written with the contacts that they are, and nothing else: conversations are a contact's by their
-- channel identity. Messages are read by their conversation, which is asked for first, as with reach (0008_reach.sql).
SELECT keep_client_contacts();
SELECT scope_clients('identities', 'contact_id');
DO $$
BEGIN
    EXECUTE format('CREATE POLICY client ON conversations AS RESTRICTIVE FOR SELECT TO %I USING ('
                   'coalesce(current_setting(''flotilla.client'', true), '''') = '''' OR EXISTS ('
                   'SELECT FROM identities AS theirs WHERE theirs.organization_id = conversations.organization_id'
                   ' AND theirs.id = conversations.identity_id))',
                   regexp_replace(current_user, '_owner$', ''));
END $$;
