-- What Postgres searches where Elasticsearch is not set. Holds personal text: rows go when the person is erased.
CREATE TABLE search_documents (
    organization_id uuid NOT NULL,
    kind text NOT NULL,
    id uuid NOT NULL,
    version bigint NOT NULL,
    title text NOT NULL,
    body text NOT NULL,
    -- The words of title and body without case and accents: what is searched.
    text text NOT NULL,
    person text,
    conversation_id uuid,
    occurred_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, kind, id)
);
CREATE INDEX search_documents_text ON search_documents USING gin (organization_id, text gin_trgm_ops);
CREATE INDEX search_documents_person ON search_documents (organization_id, person) WHERE person IS NOT NULL;
SELECT protect_tenant_table('search_documents');
-- Under row-level security the planner may not use the trigram index, so `find_documents` runs as the owner, who may
-- read all rows; its predicate is the organization, which has to be one of the transaction's.
CREATE POLICY searched ON search_documents FOR SELECT TO CURRENT_USER USING (true);

-- Documents that have a word like each of `terms`, best first; after (`after_score`, `after_id`) on later pages.
-- The statement is put together so that each term is a condition of its own, which the trigram index answers.
CREATE FUNCTION find_documents(
    org uuid, terms text[], kinds text[], max_rows int, after_score float8, after_id uuid
) RETURNS TABLE (kind text, id uuid, title text, body text, conversation_id uuid, occurred_at timestamptz,
                 score float8)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path FROM CURRENT SET pg_trgm.word_similarity_threshold = 0.5
AS $$
DECLARE
    conditions text;
    similarity text;
BEGIN
    IF org IS NULL OR NOT org = ANY (string_to_array(current_setting('flotilla.orgs', true), ',')::uuid[]) THEN
        RAISE EXCEPTION 'organization % is not in this transaction', org USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT string_agg(format('%L <%% d.text', term), ' AND '),
           string_agg(format('word_similarity(%L, d.text)', term), ' + ')
    INTO conditions, similarity FROM unnest(terms) AS term;
    RETURN QUERY EXECUTE format(
        'SELECT * FROM (
             SELECT d.kind, d.id, d.title, d.body, d.conversation_id, d.occurred_at,
                    round(1000 * ((%s) / $5))::float8 AS score
             FROM search_documents AS d WHERE d.organization_id = $1 AND d.kind = ANY ($2) AND %s) AS found
         WHERE $3 IS NULL OR (found.score, found.id) < ($3, $4)
         ORDER BY found.score DESC, found.id DESC LIMIT $6', similarity, conditions)
    USING org, kinds, after_score, after_id, cardinality(terms), max_rows;
END $$;
