-- Conversations that need a person, sooner than others; `conversations.escalation_id` names the open one.
ALTER TABLE conversations ADD COLUMN escalation_id uuid;
COMMENT ON COLUMN conversations.escalation_id IS 'Null: nobody is asked for, or it was taken care of.';
-- The queue, the longest waiting first: ids sort by time.
CREATE INDEX conversations_escalated ON conversations (organization_id, escalation_id) WHERE escalation_id IS NOT NULL;

CREATE TABLE escalations (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    reason text NOT NULL,
    summary text,
    priority text NOT NULL CHECK (priority IN ('low', 'normal', 'high', 'urgent')),
    team_id uuid,
    escalated_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, conversation_id) REFERENCES conversations (organization_id, id)
);
CREATE INDEX escalations_by_conversation ON escalations (organization_id, conversation_id);
SELECT protect_tenant_table('escalations');

-- Teams, as auth tells of them.
CREATE TABLE teams (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    state text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('teams');
