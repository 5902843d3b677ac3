-- What customers are asked, whom it was sent to, and what they said.
CREATE TABLE surveys (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('csat', 'nps', 'ces', 'custom')),
    question text NOT NULL,
    message text NOT NULL,
    trigger text NOT NULL CHECK (trigger IN ('conversation_resolved', 'manual')),
    delay_minutes int NOT NULL,
    cooldown_days int NOT NULL,
    expires_days int NOT NULL,
    active boolean NOT NULL,
    -- What was resolved before this asks nobody.
    active_since timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('surveys');

CREATE TABLE survey_sends (
    organization_id uuid NOT NULL,
    -- Also the request_id of the wish for its message.
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 0,
    survey_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    identity_id uuid,
    contact_id uuid,
    channel text NOT NULL,
    agent_id uuid,
    -- waiting: its time has not come; cancelled: the conversation went on.
    state text NOT NULL CHECK (state IN ('waiting', 'requested', 'sent', 'failed', 'cancelled', 'answered')),
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    expires_at timestamptz,
    score smallint,
    comment text,
    answered_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, survey_id) REFERENCES surveys (organization_id, id) ON DELETE CASCADE
);
-- One unanswered at a time in a conversation.
CREATE UNIQUE INDEX survey_sends_open ON survey_sends (organization_id, survey_id, conversation_id)
    WHERE state IN ('waiting', 'requested', 'sent');
CREATE INDEX survey_sends_listed ON survey_sends (organization_id, survey_id, id DESC);
CREATE INDEX survey_sends_conversation ON survey_sends (organization_id, conversation_id, created_at);
CREATE INDEX survey_sends_identity ON survey_sends (organization_id, identity_id, created_at);
SELECT protect_tenant_table('survey_sends');

-- By the day (UTC) of sending: how many, and of these how many gave which score; a score of -1 counts what was sent.
CREATE TABLE survey_days (
    organization_id uuid NOT NULL,
    survey_id uuid NOT NULL,
    kind text NOT NULL,
    day date NOT NULL,
    channel text NOT NULL,
    agent_id uuid NOT NULL,
    score smallint NOT NULL,
    count bigint NOT NULL,
    PRIMARY KEY (organization_id, survey_id, kind, day, channel, agent_id, score)
);
CREATE INDEX survey_days_kind ON survey_days (organization_id, kind, day);
SELECT protect_tenant_table('survey_days');

-- Whose a conversation is and who leads it: the survey's fold knows it when the conversation is resolved.
CREATE TABLE conversation_agents (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    channel text NOT NULL,
    identity_id uuid NOT NULL,
    contact_id uuid,
    agent_id uuid,
    state text NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('conversation_agents');
