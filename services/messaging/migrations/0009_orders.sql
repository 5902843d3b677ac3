-- The orders that the list can be read in beside the oldest first.
CREATE INDEX inboxes_name ON inboxes (organization_id, left(name, 200), id);
