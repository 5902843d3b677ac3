-- Who is who: copies of what crm and auth say.
CREATE TABLE identities (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    contact_id uuid NOT NULL,
    name text,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);
COMMENT ON TABLE identities IS 'The contact behind a channel identity, and the name the channel gives the person.';
CREATE INDEX identities_by_contact ON identities (organization_id, contact_id);
SELECT protect_tenant_table('identities');

CREATE TABLE members (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    role text NOT NULL,
    state text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);
COMMENT ON TABLE members IS 'The people of an organization, to whom conversations may be assigned.';
SELECT protect_tenant_table('members');

CREATE TABLE conversations (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    channel text NOT NULL,
    chat text NOT NULL,
    identity_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('open', 'snoozed', 'resolved')),
    assignee_id uuid,
    snoozed_until timestamptz,
    ai_enabled boolean NOT NULL DEFAULT true,
    opened_at timestamptz NOT NULL,
    resolved_at timestamptz,
    last_position bigint NOT NULL DEFAULT 0,
    last_message_id uuid,
    last_message_at timestamptz NOT NULL,
    unanswered_since timestamptz,
    sends bigint NOT NULL DEFAULT 0,
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, account_id, chat),
    CHECK ((state = 'snoozed') = (snoozed_until IS NOT NULL)),
    CHECK ((state = 'resolved') = (resolved_at IS NOT NULL))
);
COMMENT ON COLUMN conversations.unanswered_since IS 'When the oldest message of the customer came that nobody has answered.';
COMMENT ON COLUMN conversations.sends IS 'How many sends were asked for: the next one has this number plus one.';
-- The inbox, newest first: all of it, by state, by person, by customer.
CREATE INDEX conversations_newest ON conversations (organization_id, last_message_at DESC, id DESC);
CREATE INDEX conversations_by_state ON conversations (organization_id, state, last_message_at DESC, id DESC);
CREATE INDEX conversations_by_assignee ON conversations (organization_id, assignee_id, last_message_at DESC, id DESC);
CREATE INDEX conversations_by_identity ON conversations (organization_id, identity_id, last_message_at DESC, id DESC);
SELECT protect_tenant_table('conversations');

CREATE TABLE messages (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    position bigint NOT NULL CHECK (position > 0),
    direction text NOT NULL CHECK (direction IN ('in', 'out')),
    state text NOT NULL
        CHECK (state IN ('received', 'queued', 'unknown', 'sent', 'delivered', 'read', 'failed')),
    identity_id uuid NOT NULL,
    author text,
    draft_id uuid,
    external_id text,
    reason text,
    sent_at timestamptz NOT NULL,
    state_at timestamptz NOT NULL,
    responds_to_at timestamptz,
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    -- Also what pages are read by.
    UNIQUE (organization_id, conversation_id, position),
    FOREIGN KEY (organization_id, conversation_id) REFERENCES conversations (organization_id, id),
    CHECK ((direction = 'in') = (state = 'received'))
);
COMMENT ON COLUMN messages.sent_at IS 'When the customer sent it, or when it was queued for them.';
SELECT protect_tenant_table('messages');

CREATE TABLE body_sweep (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    swept_until timestamptz NOT NULL
);
COMMENT ON TABLE body_sweep IS 'exempt: one moment, up to which bodies without a message were removed';
