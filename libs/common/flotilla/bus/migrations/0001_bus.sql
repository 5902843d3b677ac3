-- The bus's own tables of one service. No tenant: reached through flotilla.bus only.

CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    type text NOT NULL,
    body bytea NOT NULL,
    written_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX outbox_written_at ON outbox (written_at);

-- Which events a reaction has had. Partitioned by id: UUIDs sort by time, so an hour is a range.
CREATE TABLE inbox (
    event_id uuid NOT NULL,
    handler text NOT NULL,
    PRIMARY KEY (event_id, handler)
) PARTITION BY RANGE (event_id);
CREATE TABLE inbox_default PARTITION OF inbox DEFAULT;

CREATE TABLE parked_events (
    event_id uuid NOT NULL,
    handler text NOT NULL,
    lane text NOT NULL,
    type text NOT NULL,
    organization_id uuid,
    body bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('retrying', 'waiting', 'parked')),
    waiting_for text,
    attempts int NOT NULL DEFAULT 1,
    error text NOT NULL,
    stack text NOT NULL,
    due_at timestamptz,
    failed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, handler)
);
CREATE INDEX parked_events_due ON parked_events (due_at) WHERE state <> 'parked';
CREATE INDEX parked_events_waiting ON parked_events (waiting_for) WHERE state = 'waiting';

-- Events that are begun although their processes died before: who dies with one of them again?
CREATE TABLE suspects (
    event_id uuid PRIMARY KEY,
    starts int NOT NULL DEFAULT 1,
    begun_at timestamptz NOT NULL DEFAULT now()
);

-- Work for later and timers: one row each, gone when done.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    payload jsonb NOT NULL,
    cause jsonb NOT NULL,
    due_at timestamptz NOT NULL,
    leased_until timestamptz,
    lease_token uuid,
    attempts int NOT NULL DEFAULT 0,
    error text,
    UNIQUE (kind, key)
);
CREATE INDEX jobs_due ON jobs (kind, due_at);

CREATE TABLE leases (
    name text PRIMARY KEY,
    token uuid NOT NULL,
    until timestamptz NOT NULL
);

-- Responses of writes that carried an Idempotency-Key; written in the write's own transaction.
CREATE TABLE idempotency_keys (
    scope text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status int NOT NULL,
    headers jsonb NOT NULL,
    body bytea NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, key)
);
CREATE INDEX idempotency_keys_used_at ON idempotency_keys (used_at);

-- The smallest UUID of a moment, so that ids can be compared with times.
CREATE FUNCTION first_id_at(moment timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Hourly inbox partitions, from three hours ago to six ahead; those past three days go. The runtime role owns
-- nothing, so this runs as the owner. An hour whose rows already stand in the default partition stays there.
CREATE FUNCTION keep_inbox_partitions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    hour timestamptz;
    partition_name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(current_schema() || '.inbox'));
    FOR hour IN SELECT generate_series(date_trunc('hour', now()) - interval '3 hours',
                                       date_trunc('hour', now()) + interval '6 hours', interval '1 hour') LOOP
        partition_name := 'inbox_' || to_char(hour AT TIME ZONE 'UTC', 'YYYYMMDDHH24');
        CONTINUE WHEN to_regclass(partition_name) IS NOT NULL;
        CONTINUE WHEN EXISTS (SELECT FROM inbox_default WHERE event_id >= first_id_at(hour)
                                                          AND event_id < first_id_at(hour + interval '1 hour'));
        EXECUTE format('CREATE TABLE %I PARTITION OF inbox FOR VALUES FROM (%L) TO (%L)',
                       partition_name, first_id_at(hour), first_id_at(hour + interval '1 hour'));
    END LOOP;
    FOR partition_name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'inbox'::regclass AND c.relname <> 'inbox_default'
          AND c.relname < 'inbox_' || to_char((now() - interval '3 days') AT TIME ZONE 'UTC', 'YYYYMMDDHH24') LOOP
        EXECUTE format('DROP TABLE %I', partition_name);
    END LOOP;
    DELETE FROM inbox_default WHERE event_id < first_id_at(now() - interval '3 days');
END $$;

-- Called by migrations for each table of tenants: only rows of the transaction's organizations are seen, by
-- the owner of the table too.
CREATE FUNCTION protect_tenant_table(table_name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', table_name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', table_name);
    EXECUTE format(
        'CREATE POLICY tenant ON %I USING (organization_id = ANY ('
        '(SELECT string_to_array(current_setting(''flotilla.orgs'', true), '','')::uuid[])::uuid[]))',
        table_name);
END $$;
