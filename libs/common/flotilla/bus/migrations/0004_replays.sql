-- Projections that are built anew (flotilla.replay): one row a replay, and what has to be known until its end.

CREATE TABLE replays (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('filling', 'failing', 'finished', 'failed')),
    projections text[] NOT NULL,
    opening jsonb NOT NULL,
    -- The archive's position up to which everything is in the shadow.
    position bigint NOT NULL,
    events bigint NOT NULL DEFAULT 0,
    -- How often the next stretch was begun; more than once where the process died.
    begun int NOT NULL DEFAULT 0,
    reason text,
    started_at timestamptz NOT NULL DEFAULT now(),
    heard_at timestamptz NOT NULL DEFAULT now(),
    caught_up_at timestamptz,
    -- When the generations were last compared, and could not change places yet.
    compared_at timestamptz,
    ended_at timestamptz
);
-- One at a time: there is one shadow.
CREATE UNIQUE INDEX replays_open ON replays ((true)) WHERE state IN ('filling', 'failing');

-- Whose rows are compared.
CREATE TABLE replay_organizations (
    replay_id uuid NOT NULL REFERENCES replays ON DELETE CASCADE,
    organization_id uuid NOT NULL,
    PRIMARY KEY (replay_id, organization_id)
);

-- What the projections would have told the service's other processes.
CREATE TABLE replay_notices (
    replay_id uuid NOT NULL REFERENCES replays ON DELETE CASCADE,
    channel text NOT NULL,
    payload text NOT NULL,
    PRIMARY KEY (replay_id, channel, payload)
);

-- Keys of the rows in which the generations differ.
CREATE TABLE replay_differences (
    replay_id uuid NOT NULL REFERENCES replays ON DELETE CASCADE,
    table_name text NOT NULL,
    organization_id uuid,
    key jsonb NOT NULL,
    -- The old generation knows something that the new one does not, or not yet.
    ahead boolean NOT NULL
);
CREATE INDEX replay_differences_replay ON replay_differences (replay_id, table_name, organization_id);

-- Called by each transaction of live projections: the open replay, seen after whoever began or ended one has
-- committed. Volatile, so that the query sees what was committed while the lock was waited for.
CREATE FUNCTION replay_gate() RETURNS SETOF replays LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtext(current_schema() || '.replay'));
    RETURN QUERY SELECT * FROM replays WHERE state = 'filling';
END $$;

-- Called by who begins or ends a replay: no live projection runs from here to the end of the transaction.
CREATE FUNCTION close_replay_gate() RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(current_schema() || '.replay'));
END $$;
