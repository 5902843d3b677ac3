-- Entries and purchases have the ids of what they are for, which may be older than they: these indexes have them in the
-- order in which they came, either way. Those that go had the same columns as the primary keys.
CREATE INDEX wallet_entries_created ON wallet_entries (organization_id, created_at, id);
CREATE INDEX purchases_created ON purchases (organization_id, created_at, id);
DROP INDEX wallet_entries_newest;
DROP INDEX purchases_newest;
