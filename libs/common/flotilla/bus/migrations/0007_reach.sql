-- Whose records a request may see and change: `flotilla.sees_<resource>` and `flotilla.writes_<resource>` of its
-- transaction name the owners, `nobody` among them where what has none is meant; not set, or empty, means everybody's.
-- (flotilla/security/reach.py says who sets them.) Plain SQL, so that the planner puts them in place of the call.
CREATE FUNCTION is_open(kind text, resource text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(current_setting('flotilla.' || kind || '_' || resource, true), '') = ''
$$;
CREATE FUNCTION in_reach(kind text, resource text, owner uuid) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(current_setting('flotilla.' || kind || '_' || resource, true), '') = ''
        OR strpos(current_setting('flotilla.' || kind || '_' || resource, true), coalesce(owner::text, 'nobody')) > 0
$$;

-- Before a row with an owner is written: whose it is and whose it becomes must be in reach.
CREATE FUNCTION check_reach() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    resource text := TG_ARGV[0];
    owner text := TG_ARGV[1];
BEGIN
    IF (TG_OP <> 'INSERT' AND NOT in_reach('writes', resource, (to_jsonb(OLD) ->> owner)::uuid))
       OR (TG_OP <> 'DELETE' AND NOT in_reach('writes', resource, (to_jsonb(NEW) ->> owner)::uuid)) THEN
        RAISE EXCEPTION 'out of reach: % of somebody else', resource USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

-- The same of a row that belongs to one with an owner.
CREATE FUNCTION check_reach_of_parent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    line jsonb := to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END);
    reached boolean;
BEGIN
    EXECUTE format('SELECT in_reach(''writes'', %L, %I) FROM %I WHERE organization_id = $1 AND id = $2',
                   TG_ARGV[0], TG_ARGV[1], TG_ARGV[2])
    INTO reached USING (line ->> 'organization_id')::uuid, (line ->> TG_ARGV[3])::uuid;
    IF NOT reached THEN
        RAISE EXCEPTION 'out of reach: % of somebody else', TG_ARGV[0] USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;

-- Called by the migrations of a service for a table of records that have an owner. The policy is for the runtime role
-- alone, for under one the planner cannot use the index of a text: functions that search as the table's owner name
-- in_reach themselves.
CREATE FUNCTION scope_rows(table_name text, resource text, owner text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE POLICY reach ON %I AS RESTRICTIVE FOR SELECT TO %I USING (in_reach(''sees'', %L, %I))',
                   table_name, regexp_replace(current_user, '_owner$', ''), resource, owner);
    EXECUTE format('CREATE TRIGGER reach BEFORE INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW'
                   ' WHEN (NOT is_open(''writes'', %L)) EXECUTE FUNCTION check_reach(%L, %L)',
                   table_name, resource, resource, owner);
END $$;

-- The same for rows that belong to one of these by `link`, or to none where that is null. `owner` is the parent's.
CREATE FUNCTION scope_rows_of(table_name text, link text, resource text, parent text, owner text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE POLICY %I ON %I AS RESTRICTIVE FOR SELECT TO %I USING (is_open(''sees'', %L) OR %I IS NULL'
                   ' OR EXISTS (SELECT FROM %I AS parent WHERE parent.organization_id = %I.organization_id'
                   ' AND parent.id = %I.%I))',
                   'reach_of_' || parent, table_name, regexp_replace(current_user, '_owner$', ''), resource, link,
                   parent, table_name, table_name, link);
    EXECUTE format('CREATE TRIGGER %I BEFORE INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW'
                   ' WHEN (NOT is_open(''writes'', %L)) EXECUTE FUNCTION check_reach_of_parent(%L, %L, %L, %L)',
                   'reach_of_' || parent, table_name, resource, resource, owner, parent, link);
END $$;
