-- What conversations were about; one for each state of a conversation that was summarised.
CREATE TABLE summaries (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    conversation_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    contact_id uuid,
    -- The last message of the customer that it knows of.
    position bigint NOT NULL,
    text text NOT NULL,
    language text NOT NULL,
    intents text[] NOT NULL,
    messages int NOT NULL,
    provider text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, conversation_id, position, provider)
);
SELECT protect_tenant_table('summaries');

-- What the AI noticed that a person may act on. No text: where it was said.
CREATE TABLE insights (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    conversation_id uuid NOT NULL,
    message_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    contact_id uuid,
    kind text NOT NULL,
    topic text NOT NULL,
    confidence real NOT NULL,
    evidence jsonb NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'accepted', 'dismissed')),
    found_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    decided_by text,
    PRIMARY KEY (organization_id, id),
    -- The same is not said of a conversation twice.
    UNIQUE (organization_id, conversation_id, kind, topic)
);
CREATE INDEX insights_state ON insights (organization_id, state, id DESC);
SELECT protect_tenant_table('insights');
