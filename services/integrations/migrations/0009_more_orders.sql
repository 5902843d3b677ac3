-- The orders that these lists can be read in, either way. A call that came in has the id of what its vendor calls it, and
-- an account that business development writes from that of an older thing: neither tells when the row came.
CREATE INDEX accounts_name ON accounts (organization_id, left(name, 200), id);
CREATE INDEX bd_accounts_created ON bd_accounts (organization_id, created_at, id);
CREATE INDEX voice_calls_created ON voice_calls (organization_id, created_at, id);
CREATE INDEX voice_calls_contact ON voice_calls (organization_id, contact_id, created_at, id) WHERE contact_id IS NOT NULL;
