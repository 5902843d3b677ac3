-- Every message moves its conversation in the indexes of the inbox: only those that need the order hold it.
DROP INDEX conversations_by_assignee;
CREATE INDEX conversations_by_assignee ON conversations (organization_id, assignee_id, last_message_at DESC, id DESC)
    WHERE assignee_id IS NOT NULL;
DROP INDEX conversations_by_identity;
CREATE INDEX conversations_by_identity ON conversations (organization_id, identity_id);
