-- Who may own and be assigned: a copy of auth's people, without their names.
CREATE TABLE users (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    role text NOT NULL,
    active boolean NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('users');

CREATE TABLE companies (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    domain text,
    owner_id uuid,
    tags text[] NOT NULL DEFAULT '{}',
    custom_fields jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, domain),
    FOREIGN KEY (organization_id, owner_id) REFERENCES users (organization_id, id)
);
CREATE INDEX companies_owner ON companies (organization_id, owner_id, id);
SELECT protect_tenant_table('companies');

CREATE TABLE contacts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text,
    search_name text NOT NULL DEFAULT '',
    email text,
    phone text,
    language text,
    company_id uuid,
    owner_id uuid,
    tags text[] NOT NULL DEFAULT '{}',
    source text NOT NULL CHECK (source IN ('channel', 'manual', 'api')),
    custom_fields jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, company_id) REFERENCES companies (organization_id, id),
    FOREIGN KEY (organization_id, owner_id) REFERENCES users (organization_id, id)
);
CREATE INDEX contacts_owner ON contacts (organization_id, owner_id, id);
CREATE INDEX contacts_company ON contacts (organization_id, company_id, id);
CREATE INDEX contacts_email ON contacts (organization_id, email) WHERE email IS NOT NULL;
CREATE INDEX contacts_phone ON contacts (organization_id, phone) WHERE phone IS NOT NULL;
CREATE INDEX contacts_search ON contacts USING gist (organization_id, search_name gist_trgm_ops (siglen = 128));
SELECT protect_tenant_table('contacts');

-- An index of contacts.tags that row-level security lets the planner use (text equality is leakproof, array
-- containment is not). Kept by the database, so that it cannot say anything else than the array.
CREATE TABLE contact_tags (
    organization_id uuid NOT NULL,
    tag text NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (organization_id, tag, id),
    FOREIGN KEY (organization_id, id) REFERENCES contacts (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX contact_tags_contact ON contact_tags (organization_id, id);
SELECT protect_tenant_table('contact_tags');

CREATE FUNCTION keep_contact_tags() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM contact_tags t
    WHERE t.organization_id = NEW.organization_id AND t.id = NEW.id AND t.tag <> ALL (NEW.tags);
    INSERT INTO contact_tags (organization_id, tag, id)
    SELECT NEW.organization_id, tag, NEW.id FROM unnest(NEW.tags) AS tag
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER contact_tags_made AFTER INSERT ON contacts
    FOR EACH ROW WHEN (NEW.tags <> '{}') EXECUTE FUNCTION keep_contact_tags();
CREATE TRIGGER contact_tags_changed AFTER UPDATE OF tags ON contacts
    FOR EACH ROW WHEN (NEW.tags IS DISTINCT FROM OLD.tags) EXECUTE FUNCTION keep_contact_tags();

-- The person on a channel (id: the channel identity's, as integrations derives it) and the contact they are. A
-- claim names a contact that is written in the same transaction, after it: the key is checked at the commit.
CREATE TABLE channel_identities (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    contact_id uuid NOT NULL,
    channel text NOT NULL,
    account_id uuid NOT NULL,
    address text,
    name text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, contact_id) REFERENCES contacts (organization_id, id)
        DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX channel_identities_contact ON channel_identities (organization_id, contact_id);
SELECT protect_tenant_table('channel_identities');

CREATE TABLE tasks (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    title text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'completed')),
    assignee_id uuid,
    due_at timestamptz,
    due_order timestamptz NOT NULL GENERATED ALWAYS AS (coalesce(due_at, 'infinity')) STORED,
    contact_id uuid,
    company_id uuid,
    conversation_id uuid,
    created_by uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, assignee_id) REFERENCES users (organization_id, id),
    FOREIGN KEY (organization_id, contact_id) REFERENCES contacts (organization_id, id),
    FOREIGN KEY (organization_id, company_id) REFERENCES companies (organization_id, id)
);
CREATE INDEX tasks_due ON tasks (organization_id, state, due_order, id);
CREATE INDEX tasks_assignee ON tasks (organization_id, assignee_id, state, due_order, id);
CREATE INDEX tasks_contact ON tasks (organization_id, contact_id, due_order, id);
CREATE INDEX tasks_company ON tasks (organization_id, company_id, due_order, id);
CREATE INDEX tasks_conversation ON tasks (organization_id, conversation_id, due_order, id);
SELECT protect_tenant_table('tasks');

CREATE TABLE notes (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    author_id uuid NOT NULL,
    text text NOT NULL,
    contact_id uuid,
    company_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    CHECK (contact_id IS NOT NULL OR company_id IS NOT NULL),
    FOREIGN KEY (organization_id, contact_id) REFERENCES contacts (organization_id, id),
    FOREIGN KEY (organization_id, company_id) REFERENCES companies (organization_id, id)
);
CREATE INDEX notes_contact ON notes (organization_id, contact_id, id);
CREATE INDEX notes_company ON notes (organization_id, company_id, id);
SELECT protect_tenant_table('notes');

-- What happened with a contact or a company; id: the event's that told of it. References only, no texts.
CREATE TABLE timeline_entries (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    reference_id uuid NOT NULL,
    contact_id uuid,
    company_id uuid,
    conversation_id uuid,
    actor text,
    PRIMARY KEY (organization_id, id),
    CHECK (contact_id IS NOT NULL OR company_id IS NOT NULL),
    FOREIGN KEY (organization_id, contact_id) REFERENCES contacts (organization_id, id),
    FOREIGN KEY (organization_id, company_id) REFERENCES companies (organization_id, id)
);
CREATE INDEX timeline_of_contact ON timeline_entries (organization_id, contact_id, at DESC, id DESC);
CREATE INDEX timeline_of_company ON timeline_entries (organization_id, company_id, at DESC, id DESC)
    WHERE company_id IS NOT NULL;
SELECT protect_tenant_table('timeline_entries');

-- Names that begin with `sought`, then names with a word that does; where there are none, names like it (typing
-- errors). It runs as the owner, who is let past the policy for reading, because under it the planner cannot use the
-- trigram index; so it names the organization itself, and refuses one that is not the transaction's.
CREATE POLICY search ON contacts FOR SELECT TO CURRENT_USER USING (true);

CREATE FUNCTION search_contacts(
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
    ), alike AS (
        SELECT c.id, (1 + (sought <<-> c.search_name))::real AS rank
        FROM contacts c
        WHERE c.organization_id = org AND org = ANY (string_to_array(current_setting('flotilla.orgs', true), ',')::uuid[])
          AND NOT EXISTS (SELECT FROM begins)
          AND sought <% c.search_name
          AND (owner IS NULL OR c.owner_id = owner)
          AND (company IS NULL OR c.company_id = company)
          AND (tag IS NULL OR tag = ANY (c.tags))
    )
    SELECT found.id, found.rank FROM (SELECT * FROM begins UNION ALL SELECT * FROM alike) AS found
    WHERE (found.rank, found.id) > (after_rank, after_id)
    ORDER BY found.rank, found.id LIMIT page
$$;
