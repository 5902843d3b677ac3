-- The orders that the list can be read in beside the newest first.
CREATE INDEX counterparties_name ON counterparties (organization_id, left(name, 200), id);
