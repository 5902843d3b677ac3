-- The orders that lists can be read in beside those there are. No index takes a name of any length.
DROP INDEX companies_name;
CREATE INDEX companies_name ON companies (organization_id, left(name, 200), id);
CREATE INDEX contacts_name ON contacts (organization_id, left(coalesce(name, ''), 200), id);
CREATE INDEX segments_name ON segments (organization_id, left(name, 200), id) WHERE state = 'active';
