-- Called by migrations for columns by which nothing is sought: ANALYZE then neither unpacks nor sorts what is in them,
-- which for wide ones is most of its work. A table with partitions hands it on to those it has.
CREATE FUNCTION leave_unanalyzed(table_name text, VARIADIC column_names text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I %s', table_name, (
        SELECT string_agg(format('ALTER COLUMN %I SET STATISTICS 0', name), ', ') FROM unnest(column_names) AS name));
END $$;
SELECT leave_unanalyzed('parked_events', 'body', 'error', 'stack');
SELECT leave_unanalyzed('outbox', 'body');
