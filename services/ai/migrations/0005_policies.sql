-- What an organization does not want said in its name.
CREATE TABLE policies (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    phrases text[] NOT NULL,
    action text NOT NULL CHECK (action IN ('refuse', 'mask', 'flag')),
    enabled boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by text NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('policies');

-- The log of what the supervisor did. No text: where in the draft, or that the customer's message was the reason.
CREATE TABLE policy_violations (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    rule text NOT NULL,
    policy_id uuid,
    action text NOT NULL CHECK (action IN ('refused', 'masked', 'flagged')),
    conversation_id uuid NOT NULL,
    message_id uuid,
    draft_id uuid NOT NULL,
    places jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX policy_violations_conversation ON policy_violations (organization_id, conversation_id, id DESC);
SELECT protect_tenant_table('policy_violations');
