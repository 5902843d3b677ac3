-- An organization's own positions: who reads one organization's events again does not go through everybody's.
CREATE INDEX ledger_organization ON ledger (organization_id, position);
