-- The orders that the list can be read in beside that in which rules run.
CREATE INDEX rules_name ON rules (organization_id, left(name, 200), id) WHERE state <> 'deleted';
