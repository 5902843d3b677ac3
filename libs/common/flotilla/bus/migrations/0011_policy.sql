-- The policy of tenants is a filter, and never a condition of an index. `organization_id = ANY (…)` by itself can be
-- one: the planner then takes any index that begins with organization_id to be as good as a statement's own whole
-- key, and a batch reads all there is of a large organization. Every statement says its organization_id itself
-- (checks/tenancy.py); what it does not say, the policy still keeps from it. Where no organization is set, none is
-- seen: COALESCE makes false of null.
CREATE OR REPLACE FUNCTION protect_tenant_table(table_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', table_name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', table_name);
    EXECUTE format(
        'CREATE POLICY tenant ON %I USING (coalesce(organization_id = ANY ('
        '(SELECT string_to_array(current_setting(''flotilla.orgs'', true), '','')::uuid[])::uuid[]), false))',
        table_name);
END $$;

-- The tables that stand already: the service's, and their shadows.
DO $$
DECLARE
    service text := regexp_replace(current_schema(), '_bus$', '');
    place record;
BEGIN
    FOR place IN SELECT schemaname, tablename FROM pg_policies
                 WHERE policyname = 'tenant' AND schemaname IN (service, service || '_shadow') LOOP
        EXECUTE format(
            'ALTER POLICY tenant ON %I.%I USING (coalesce(organization_id = ANY ('
            '(SELECT string_to_array(current_setting(''flotilla.orgs'', true), '','')::uuid[])::uuid[]), false))',
            place.schemaname, place.tablename);
    END LOOP;
END $$;

-- What is published leaves the outbox within a moment, and what stays is read in the order of its ids: an index that
-- only the sweeper might use cost every event an entry.
DROP INDEX outbox_written_at;
