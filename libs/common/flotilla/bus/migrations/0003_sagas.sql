-- Called by the migrations of a service that has sagas: one row a saga, and which requests are whose.
CREATE FUNCTION make_saga_tables() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE sagas (
        organization_id uuid NOT NULL,
        id uuid NOT NULL,
        sequence bigint NOT NULL DEFAULT 1,
        kind text NOT NULL,
        subject_id uuid NOT NULL,
        state text NOT NULL CHECK (state IN ('running', 'compensating', 'stuck', 'done', 'undone')),
        reason text,
        steps jsonb NOT NULL,
        context jsonb NOT NULL,
        cause jsonb NOT NULL,
        started_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        ended_at timestamptz,
        PRIMARY KEY (organization_id, id)
    );
    CREATE INDEX sagas_state ON sagas (organization_id, state, id);
    CREATE INDEX sagas_subject ON sagas (organization_id, subject_id, id);
    PERFORM protect_tenant_table('sagas');

    CREATE TABLE saga_requests (
        organization_id uuid NOT NULL,
        request_id uuid NOT NULL,
        saga_id uuid NOT NULL,
        PRIMARY KEY (organization_id, request_id),
        FOREIGN KEY (organization_id, saga_id) REFERENCES sagas (organization_id, id) ON DELETE CASCADE
    );
    CREATE INDEX saga_requests_saga ON saga_requests (organization_id, saga_id);
    PERFORM protect_tenant_table('saga_requests');
END $$;

-- Called by the migrations of a service that grants wishes which can be taken back: what it has seen of each.
CREATE FUNCTION make_wish_table() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE wishes (
        organization_id uuid NOT NULL,
        request_id uuid NOT NULL,
        state text NOT NULL CHECK (state IN ('taken', 'cancelled')),
        seen_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (organization_id, request_id)
    );
    PERFORM protect_tenant_table('wishes');
END $$;
