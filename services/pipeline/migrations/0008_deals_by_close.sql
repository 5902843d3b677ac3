-- What is expected to be decided next, and what nobody knows of last.
CREATE INDEX deals_close ON deals (organization_id, coalesce(expected_close_on, 'infinity'::date), id);
