-- The orders that lists can be read in beside those there are.
CREATE INDEX campaigns_name ON campaigns (organization_id, left(name, 200), id);
CREATE INDEX sequences_name ON sequences (organization_id, left(name, 200), id) WHERE state = 'active';
