-- The orders that the list can be read in beside the newest first.
CREATE INDEX knowledge_sources_title ON knowledge_sources (organization_id, left(title, 200), id);
