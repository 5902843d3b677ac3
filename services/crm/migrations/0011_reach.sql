-- Whose records a role may see and change, where not all (scope_rows says how).
SELECT scope_rows('contacts', 'contacts', 'owner_id');
SELECT scope_rows_of('contact_merges', 'winner_id', 'contacts', 'contacts', 'owner_id');
SELECT scope_rows_of('consents', 'contact_id', 'contacts', 'contacts', 'owner_id');
SELECT scope_rows_of('consent_records', 'contact_id', 'contacts', 'contacts', 'owner_id');
SELECT scope_rows('companies', 'companies', 'owner_id');
SELECT scope_rows('leads', 'leads', 'owner_id');
SELECT scope_rows('tasks', 'tasks', 'assignee_id');
SELECT scope_rows('bookings', 'bookings', 'host_id');
-- What is said of a contact or a company is seen by who sees them.
SELECT scope_rows('notes', 'notes', 'author_id');
SELECT scope_rows_of('notes', 'contact_id', 'contacts', 'contacts', 'owner_id');
SELECT scope_rows_of('notes', 'company_id', 'companies', 'companies', 'owner_id');

-- As before, within reach.
CREATE OR REPLACE FUNCTION search_contacts(
    org uuid, sought text, pattern text, owner uuid, company uuid, tag text, after_rank real, after_id uuid, page int
) RETURNS TABLE (id uuid, rank real)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET pg_trgm.word_similarity_threshold = 0.5 AS $$
    WITH begins AS MATERIALIZED (
        SELECT c.id, CASE WHEN c.search_name LIKE pattern || '%' THEN 0.0 ELSE 0.5 END::real AS rank
        FROM contacts c
        WHERE c.organization_id = org AND org = ANY (string_to_array(current_setting('flotilla.orgs', true), ',')::uuid[])
          AND (c.search_name LIKE pattern || '%' OR c.search_name LIKE '% ' || pattern || '%')
          AND (owner IS NULL OR c.owner_id = owner)
          AND (company IS NULL OR c.company_id = company)
          AND (tag IS NULL OR tag = ANY (c.tags))
          AND in_reach('sees', 'contacts', c.owner_id)
    ), alike AS (
        SELECT c.id, (1 + (sought <<-> c.search_name))::real AS rank
        FROM contacts c
        WHERE c.organization_id = org AND org = ANY (string_to_array(current_setting('flotilla.orgs', true), ',')::uuid[])
          AND NOT EXISTS (SELECT FROM begins)
          AND sought <% c.search_name
          AND (owner IS NULL OR c.owner_id = owner)
          AND (company IS NULL OR c.company_id = company)
          AND (tag IS NULL OR tag = ANY (c.tags))
          AND in_reach('sees', 'contacts', c.owner_id)
    )
    SELECT found.id, found.rank FROM (SELECT * FROM begins UNION ALL SELECT * FROM alike) AS found
    WHERE (found.rank, found.id) > (after_rank, after_id)
    ORDER BY found.rank, found.id LIMIT page
$$;
