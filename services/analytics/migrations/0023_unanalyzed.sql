-- Events are sought by organization, id, type, subject, actor, correlation and time, and by nothing else they have.
CREATE FUNCTION leave_archive_unanalyzed(table_name text) RETURNS void LANGUAGE sql SET search_path FROM CURRENT AS $$
    SELECT leave_unanalyzed(table_name, 'data', 'sealed', 'traceparent', 'causation_id', 'request_id', 'audience',
                            'region', 'person', 'source', 'sequence')
$$;
SELECT leave_archive_unanalyzed('archive');
SELECT leave_unanalyzed('ledger', 'hash');

-- As before, and a new month is told as well: it has what its columns are from the table, and this is not of that kind.
CREATE OR REPLACE FUNCTION keep_archive_partitions() RETURNS void
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
        PERFORM leave_archive_unanalyzed(partition_name);
    END LOOP;
END $$;
