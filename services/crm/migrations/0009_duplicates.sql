-- Pairs of contacts that may be one person: one e-mail address, one phone number, or names alike. Of each block only
-- the nearest, so that an address that thousands share costs no more. `after_own`: only contacts made later, so that a
-- walk over all contacts meets each pair once. It runs as the owner, as search_contacts does, for the trigram index.
CREATE FUNCTION duplicate_pairs(org uuid, subjects uuid[], after_own boolean)
RETURNS TABLE (one uuid, other uuid, same_email boolean, same_phone boolean, likeness real)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET pg_trgm.similarity_threshold = 0.5 AS $$
    SELECT s.id, d.id, coalesce(s.email = d.email, false), coalesce(s.phone = d.phone, false),
           CASE WHEN s.search_name = '' OR d.search_name = '' THEN 0 ELSE similarity(s.search_name, d.search_name) END
    FROM contacts s
    CROSS JOIN LATERAL (
        (SELECT c.id FROM contacts c WHERE c.organization_id = org AND c.email = s.email AND c.id <> s.id
         ORDER BY c.id LIMIT 20)
        UNION
        (SELECT c.id FROM contacts c WHERE c.organization_id = org AND c.phone = s.phone AND c.id <> s.id
         ORDER BY c.id LIMIT 20)
        UNION
        (SELECT c.id FROM contacts c
         WHERE c.organization_id = org AND s.search_name <> '' AND c.search_name % s.search_name AND c.id <> s.id
         ORDER BY c.search_name <-> s.search_name LIMIT 20)
    ) AS near
    JOIN contacts d ON d.organization_id = org AND d.id = near.id
    WHERE s.organization_id = org AND org = ANY (string_to_array(current_setting('flotilla.orgs', true), ',')::uuid[])
      AND s.id = ANY (subjects) AND (NOT after_own OR d.id > s.id)
$$;
