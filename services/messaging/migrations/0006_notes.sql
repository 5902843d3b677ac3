-- Notes stand in their conversation's order, and only people of the organization see them.
ALTER TABLE messages DROP CONSTRAINT messages_direction_check;
ALTER TABLE messages ADD CONSTRAINT messages_direction_check CHECK (direction IN ('in', 'out', 'note'));
ALTER TABLE messages DROP CONSTRAINT messages_state_check;
ALTER TABLE messages ADD CONSTRAINT messages_state_check
    CHECK (state IN ('received', 'queued', 'unknown', 'sent', 'delivered', 'read', 'failed', 'noted'));
ALTER TABLE messages ADD CONSTRAINT messages_note_check CHECK ((direction = 'note') = (state = 'noted'));
ALTER TABLE messages
    ADD COLUMN body_id uuid,
    ADD COLUMN edited_at timestamptz,
    ADD COLUMN deleted_at timestamptz;
COMMENT ON COLUMN messages.body_id IS 'The body since it was edited; null: the one that has the message''s id.';
CREATE INDEX messages_edited ON messages (organization_id, body_id) WHERE body_id IS NOT NULL;
