-- Who has a conversation, as its service tells: whose its drafts are.
CREATE TABLE conversation_assignees (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    assignee_id uuid,
    PRIMARY KEY (organization_id, id)
);
COMMENT ON COLUMN conversation_assignees.id IS 'The conversation''s; one that was never given to anybody has no row.';
COMMENT ON COLUMN conversation_assignees.sequence IS 'The conversation''s, of the event that said so.';
CREATE INDEX conversation_assignees_of ON conversation_assignees (organization_id, assignee_id, id);
SELECT protect_tenant_table('conversation_assignees');

-- As scope_rows and scope_rows_of do; but the owner stands in another table, where it need not stand.
DO $$
BEGIN
    EXECUTE format($policy$
        CREATE POLICY reach ON drafts AS RESTRICTIVE FOR SELECT TO %I USING (
            is_open('sees', 'drafts') OR in_reach('sees', 'drafts', (
                SELECT a.assignee_id FROM conversation_assignees a
                WHERE a.organization_id = drafts.organization_id AND a.id = drafts.conversation_id)))
        $policy$, regexp_replace(current_user, '_owner$', ''));
END $$;
CREATE FUNCTION check_reach_of_draft() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT in_reach('writes', 'drafts', (SELECT a.assignee_id FROM conversation_assignees a
                    WHERE a.organization_id = NEW.organization_id AND a.id = NEW.conversation_id)) THEN
        RAISE EXCEPTION 'out of reach: drafts of somebody else' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER reach BEFORE INSERT OR UPDATE ON drafts FOR EACH ROW
    WHEN (NOT is_open('writes', 'drafts')) EXECUTE FUNCTION check_reach_of_draft();
