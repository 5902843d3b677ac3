-- What people were shown in the last 24 hours, so that whoever dropped out can be told what they missed.
-- Partitioned by id: event ids sort by time, so an hour is a range, and old hours are dropped, not deleted.
CREATE TABLE feed (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    audience text,
    event text NOT NULL,
    arrived_at timestamptz NOT NULL DEFAULT now(),
    transaction_id bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
    PRIMARY KEY (organization_id, id)
) PARTITION BY RANGE (id);
CREATE INDEX feed_arrivals ON feed (organization_id, arrived_at, transaction_id, id);
SELECT protect_tenant_table('feed');

-- Hourly partitions from 24 hours ago to three ahead. The runtime role owns nothing, so this runs as the owner. A
-- partition has the policy too, as it can be named directly.
CREATE FUNCTION keep_feed_partitions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
    hour timestamptz;
    partition_name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(current_schema() || '.feed'));
    FOR hour IN SELECT generate_series(date_trunc('hour', now()) - interval '24 hours',
                                       date_trunc('hour', now()) + interval '3 hours', interval '1 hour') LOOP
        partition_name := 'feed_' || to_char(hour AT TIME ZONE 'UTC', 'YYYYMMDDHH24');
        CONTINUE WHEN to_regclass(partition_name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I PARTITION OF feed FOR VALUES FROM (%L) TO (%L)',
                       partition_name, first_id_at(hour), first_id_at(hour + interval '1 hour'));
        PERFORM protect_tenant_table(partition_name);
    END LOOP;
    FOR partition_name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'feed'::regclass
          AND c.relname < 'feed_' || to_char((now() - interval '24 hours') AT TIME ZONE 'UTC', 'YYYYMMDDHH24') LOOP
        EXECUTE format('DROP TABLE %I', partition_name);
    END LOOP;
END $$;
SELECT keep_feed_partitions();
