-- How conversations stand on budget, authority, need and timeline. No text: the entries say where in which message.
CREATE TABLE qualifications (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 0,
    conversation_id uuid NOT NULL,
    identity_id uuid NOT NULL,
    -- Null until a message names it.
    contact_id uuid,
    entries jsonb NOT NULL DEFAULT '[]',
    total int NOT NULL DEFAULT 0 CHECK (total BETWEEN 0 AND 100),
    model text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now(),
    -- When it passed the threshold for the first time; told once, never again.
    qualified_at timestamptz,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, conversation_id)
);
CREATE INDEX qualifications_contact ON qualifications (organization_id, contact_id, id DESC);
SELECT protect_tenant_table('qualifications');
