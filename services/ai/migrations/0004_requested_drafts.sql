-- Drafts that somebody asked for stand beside the one that each message gets by itself.
ALTER TABLE drafts ADD COLUMN request_id uuid;
COMMENT ON COLUMN drafts.request_id IS 'The wish that it answers; null: the message itself was reason enough.';
ALTER TABLE drafts ADD COLUMN sent_at timestamptz;
ALTER TABLE drafts ADD COLUMN sent_message_id uuid;
ALTER TABLE drafts ALTER COLUMN account_id DROP NOT NULL;
ALTER TABLE drafts DROP CONSTRAINT drafts_organization_id_message_id_key;
CREATE UNIQUE INDEX drafts_of_message ON drafts (organization_id, message_id) WHERE request_id IS NULL;
ALTER TABLE analyses ADD COLUMN account_id uuid;
COMMENT ON COLUMN analyses.masked_text IS 'With placeholders for personal data: what summaries and asked-for drafts are made of.';
SELECT make_wish_table();
