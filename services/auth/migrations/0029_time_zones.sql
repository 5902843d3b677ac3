-- A person's own time zone; none: that of their organization.
ALTER TABLE users ADD COLUMN time_zone text;
