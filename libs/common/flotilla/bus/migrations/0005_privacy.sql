-- What a service was asked to forget, and the ids of whom: what comes late must not bring them back. Ids and counts.

CREATE TABLE asked_erasures (
    request_id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    subject jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('asked', 'done', 'failed')),
    -- Of the answer: told again under the same id where it is asked for again.
    event_id uuid,
    erased jsonb NOT NULL DEFAULT '{}',
    reason text,
    asked_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);

CREATE TABLE forgotten (
    organization_id uuid NOT NULL,
    -- A contact, a channel identity, a user; or the organization itself.
    id uuid NOT NULL,
    -- Events up to then say nothing of them any more; null: none ever does. An identity may write again.
    until timestamptz,
    written_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX forgotten_written_at ON forgotten (written_at);

CREATE TABLE asked_exports (
    request_id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    subject jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('asked', 'done', 'failed')),
    event_id uuid,
    result jsonb NOT NULL DEFAULT '{}',
    reason text,
    asked_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz
);

-- The flags of all organizations and of the platform (the zero organization), as auth tells them.
CREATE TABLE known_flags (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    key text NOT NULL,
    environment text NOT NULL,
    enabled boolean NOT NULL,
    percentage int NOT NULL,
    state text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);

-- The ids that stand in a text, an event or an answer: whether it speaks of somebody.
CREATE FUNCTION uuids_in(content text) RETURNS uuid[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(array_agg(found[1]::uuid), '{}') FROM regexp_matches(
        lower(content), '[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'g') AS found
$$;
CREATE FUNCTION uuids_in(content jsonb) RETURNS uuid[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT uuids_in(content::text)
$$;
CREATE FUNCTION uuids_in(content bytea) RETURNS uuid[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT uuids_in(encode(content, 'escape'))
$$;
