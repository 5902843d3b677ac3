-- Names alike are found by an index of their own: of 50,000 contacts one is looked up in 2 ms, by the search's GiST in
-- 20. It is of an expression that nothing else asks for, so that each of the two is used for what it is good at, and
-- written at once: a list of what is pending would be read at every look-up.
CREATE INDEX contacts_names_alike ON contacts USING gin (organization_id, (search_name || '') gin_trgm_ops)
    WITH (fastupdate = off);

CREATE OR REPLACE FUNCTION duplicate_pairs(org uuid, subjects uuid[], after_own boolean)
RETURNS TABLE (one uuid, other uuid, same_email boolean, same_phone boolean, likeness real)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path FROM CURRENT SET pg_trgm.similarity_threshold = 0.6 AS $$
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
         WHERE c.organization_id = org AND s.search_name <> '' AND (c.search_name || '') % s.search_name
           AND c.id <> s.id
         LIMIT 20)
    ) AS near
    JOIN contacts d ON d.organization_id = org AND d.id = near.id
    WHERE s.organization_id = org AND org = ANY (string_to_array(current_setting('flotilla.orgs', true), ',')::uuid[])
      AND s.id = ANY (subjects) AND (NOT after_own OR d.id > s.id)
$$;
