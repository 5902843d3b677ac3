-- GET /v1/deals?sort=value, where those without one come first, and of those on a stage or of a person too.
CREATE INDEX deals_value ON deals (organization_id, coalesce(value_minor, -1), id);
