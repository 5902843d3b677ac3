-- When a rule that waits for a time is due: a cron expression and its zone.
ALTER TABLE rule_versions ADD COLUMN schedule jsonb;
