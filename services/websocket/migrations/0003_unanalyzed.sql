-- Nothing is sought by what an event says or by whom it is for.
SELECT leave_unanalyzed('feed', 'event', 'audience');

-- As before, and a new hour is told as well: it has what its columns are from the table, and this is not of that kind.
CREATE OR REPLACE FUNCTION keep_feed_partitions() RETURNS void
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
        PERFORM leave_unanalyzed(partition_name, 'event', 'audience');
    END LOOP;
    FOR partition_name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'feed'::regclass
          AND c.relname < 'feed_' || to_char((now() - interval '24 hours') AT TIME ZONE 'UTC', 'YYYYMMDDHH24') LOOP
        EXECUTE format('DROP TABLE %I', partition_name);
    END LOOP;
END $$;
