-- What an organization knows: texts it gave, cut into chunks that are searched and cited.
CREATE TABLE knowledge_sources (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    title text NOT NULL,
    text text NOT NULL,
    language text NOT NULL,
    chunks int NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('knowledge_sources');

CREATE TABLE knowledge_chunks (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    source_id uuid NOT NULL,
    position int NOT NULL,
    heading text NOT NULL,
    text text NOT NULL,
    -- float16, and who made it: vectors of different embedders are not comparable.
    embedding bytea NOT NULL,
    embedder text NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, source_id, position),
    FOREIGN KEY (organization_id, source_id) REFERENCES knowledge_sources (organization_id, id) ON DELETE CASCADE
);
SELECT protect_tenant_table('knowledge_chunks');

-- What was found in each message of a customer. No text of it, but where a hosted provider needs the
-- conversation so far: then with placeholders for personal data.
CREATE TABLE analyses (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    conversation_id uuid NOT NULL,
    position bigint NOT NULL,
    identity_id uuid NOT NULL,
    contact_id uuid,
    language text NOT NULL,
    language_confidence real NOT NULL,
    intent text NOT NULL,
    intent_confidence real NOT NULL,
    agent text NOT NULL,
    agent_confidence real NOT NULL,
    pii jsonb NOT NULL,
    injected boolean NOT NULL,
    masked_text text,
    analyzed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
COMMENT ON COLUMN analyses.id IS 'the message''s id';
CREATE INDEX analyses_conversation ON analyses (organization_id, conversation_id, position DESC);
SELECT protect_tenant_table('analyses');

CREATE TABLE drafts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    message_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    position bigint NOT NULL,
    account_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    contact_id uuid,
    agent text NOT NULL,
    provider text NOT NULL,
    text text,
    sent_text text,
    confidence real NOT NULL,
    citations jsonb NOT NULL,
    verdict jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('requested', 'generated', 'approved', 'rejected', 'failed')),
    reason text,
    -- Correlation, causation and trace of the customer's message: what a person's decision goes on with.
    cause jsonb NOT NULL,
    generated_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    decided_by text,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, message_id),
    FOREIGN KEY (organization_id, message_id) REFERENCES analyses (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX drafts_conversation ON drafts (organization_id, conversation_id, id DESC);
CREATE INDEX drafts_state ON drafts (organization_id, state, id DESC);
CREATE INDEX drafts_undecided ON drafts (organization_id, conversation_id) WHERE state IN ('requested', 'generated');
CREATE INDEX drafts_waiting ON drafts (organization_id, generated_at) WHERE state = 'generated';
SELECT protect_tenant_table('drafts');

-- Which provider an organization has chosen; no row: the local one.
CREATE TABLE ai_settings (
    organization_id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    provider text NOT NULL CHECK (provider IN ('local', 'openai_compatible')),
    base_url text,
    model text,
    sealed_api_key bytea,
    tone text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text NOT NULL,
    PRIMARY KEY (organization_id)
);
SELECT protect_tenant_table('ai_settings');

-- Usage not yet told of: a row a batch and provider, so that no two batches wait for one counter.
CREATE TABLE unreported_usage (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    provider text NOT NULL,
    model text NOT NULL,
    requests int NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('unreported_usage');
