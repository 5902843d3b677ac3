-- The archive: every event once, what is personal in it sealed; and the ledger that says in which order, unchanged.

-- One key per person and organization. A destroyed key leaves its row: nobody is given a new one afterwards.
CREATE TABLE person_keys (
    organization_id uuid NOT NULL,
    person text NOT NULL,
    wrapped_key bytea,
    made_at timestamptz NOT NULL DEFAULT now(),
    destroyed_at timestamptz,
    PRIMARY KEY (organization_id, person),
    CHECK ((wrapped_key IS NULL) = (destroyed_at IS NOT NULL))
);
SELECT protect_tenant_table('person_keys');

-- Which contact a channel identity turned out to be: erasing the contact destroys both keys.
CREATE TABLE person_aliases (
    organization_id uuid NOT NULL,
    person text NOT NULL,
    contact text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, person)
);
CREATE INDEX person_aliases_contact ON person_aliases (organization_id, contact);
SELECT protect_tenant_table('person_aliases');

-- Partitioned by id: ids sort by time, so a month is a range.
CREATE TABLE archive (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    source text NOT NULL,
    subject text NOT NULL,
    time timestamptz NOT NULL,
    sequence bigint NOT NULL,
    region text NOT NULL,
    correlation_id uuid NOT NULL,
    causation_id uuid,
    request_id uuid,
    traceparent text,
    actor text,
    audience text,
    -- Null where the event could not be read: then all of its data is in `sealed`.
    data jsonb,
    -- Whose key `sealed` is under; a person without it had been erased when this came.
    person text,
    sealed bytea,
    PRIMARY KEY (organization_id, id),
    CHECK (sealed IS NULL OR person IS NOT NULL)
) PARTITION BY RANGE (id);
SELECT protect_tenant_table('archive');
CREATE INDEX archive_time ON archive (organization_id, time, id);
CREATE INDEX archive_type ON archive (organization_id, type, time, id);
CREATE INDEX archive_subject ON archive (organization_id, subject, time, id);
CREATE INDEX archive_actor ON archive (organization_id, actor, time, id) WHERE actor IS NOT NULL;
CREATE INDEX archive_correlation ON archive (organization_id, correlation_id);

CREATE TABLE archive_default PARTITION OF archive DEFAULT;
SELECT protect_tenant_table('archive_default');

-- The hash of a row as it stands: SHA-256 of a JSON array of its columns, over ciphertext, so that it holds after
-- the person's key is gone. An exported row gives the same hash anywhere.
CREATE FUNCTION archive_hash(event archive) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(convert_to(jsonb_build_array(
        event.organization_id, event.id, event.type, event.source, event.subject,
        (extract(epoch FROM event.time) * 1000000)::bigint, event.sequence, event.region, event.correlation_id,
        event.causation_id, event.request_id, event.traceparent, event.actor, event.audience, event.data,
        event.person, encode(event.sealed, 'hex'))::text, 'UTF8'))
$$;

-- Events that have no position yet; each row was written with its event.
CREATE TABLE unsealed (
    event_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    hash bytea NOT NULL,
    PRIMARY KEY (event_id, organization_id)
);
COMMENT ON TABLE unsealed IS 'exempt: ids and hashes only';

-- Gapless positions in the order of sealing.
CREATE TABLE ledger (
    position bigint PRIMARY KEY,
    event_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    hash bytea NOT NULL,
    UNIQUE (event_id, organization_id)
);
COMMENT ON TABLE ledger IS 'exempt: ids and hashes only';

-- Blocks of the ledger, each holding the hash of the one before (flotilla_analytics.domain.chain).
CREATE TABLE blocks (
    position_from bigint PRIMARY KEY,
    position_to bigint NOT NULL UNIQUE,
    previous_hash bytea NOT NULL,
    content bytea NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT now(),
    CHECK (position_to >= position_from)
);
COMMENT ON TABLE blocks IS 'exempt: positions and hashes only';

-- Up to which position each fold has come; moved in the transaction that saves its result.
CREATE TABLE cursors (
    name text PRIMARY KEY,
    position bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE cursors IS 'exempt: positions only';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON archive FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON blocks FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Monthly partitions from last month to three ahead; ids of other times stay in the default partition. The runtime
-- role owns nothing, so this runs as the owner. A month whose rows already stand in the default stays there.
CREATE FUNCTION keep_archive_partitions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' AS $$
DECLARE
    month timestamptz;
    following timestamptz;
    partition_name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(current_schema() || '.archive'));
    FOR month IN SELECT generate_series(date_trunc('month', now(), 'UTC') - interval '1 month',
                                        date_trunc('month', now(), 'UTC') + interval '3 months',
                                        interval '1 month') LOOP
        following := month + interval '1 month';
        partition_name := 'archive_' || to_char(month AT TIME ZONE 'UTC', 'YYYYMM');
        CONTINUE WHEN to_regclass(partition_name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE %I PARTITION OF archive FOR VALUES FROM (%L) TO (%L)',
                           partition_name, first_id_at(month), first_id_at(following));
        EXCEPTION WHEN check_violation THEN
            CONTINUE;
        END;
        -- A partition named directly is not under its parent's policy.
        PERFORM protect_tenant_table(partition_name);
    END LOOP;
END $$;
SELECT keep_archive_partitions();
