-- How often a program may call at most, where whoever made its key says less than the plan does.
ALTER TABLE api_keys ADD COLUMN requests_per_hour integer;
