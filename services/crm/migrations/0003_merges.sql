-- Contacts that are no more. Merged ones have what they were in `contact_merges`; of deleted ones nothing is kept.
CREATE TABLE contact_tombstones (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    merged_into uuid,
    gone_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('contact_tombstones');

-- What is needed to undo a merge: the contact that went (`loser`), and for each field of the other that it changed
-- what stood there before and after.
CREATE TABLE contact_merges (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    winner_id uuid NOT NULL,
    loser_id uuid NOT NULL,
    loser jsonb NOT NULL,
    changed jsonb NOT NULL,
    actor text,
    merged_at timestamptz NOT NULL DEFAULT now(),
    undone_at timestamptz,
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX contact_merges_winner ON contact_merges (organization_id, winner_id, id);
CREATE INDEX contact_merges_loser ON contact_merges (organization_id, loser_id, id);
SELECT protect_tenant_table('contact_merges');

CREATE TABLE contact_merge_moves (
    organization_id uuid NOT NULL,
    merge_id uuid NOT NULL,
    kind text NOT NULL,
    id uuid NOT NULL,
    PRIMARY KEY (organization_id, merge_id, kind, id),
    FOREIGN KEY (organization_id, merge_id) REFERENCES contact_merges (organization_id, id) ON DELETE CASCADE
);
SELECT protect_tenant_table('contact_merge_moves');

-- A channel identity outlives its contact, without its name and address: its sequence goes on, and a message written
-- before the contact went does not make a new one.
ALTER TABLE channel_identities ALTER COLUMN contact_id DROP NOT NULL;
ALTER TABLE channel_identities ADD COLUMN freed_at timestamptz;
ALTER TABLE channel_identities ADD CHECK ((contact_id IS NULL) = (freed_at IS NOT NULL));
