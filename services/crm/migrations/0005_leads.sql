-- People who may well buy. `id`: ai's qualification. `signals`: the points of its four questions, by name.
CREATE TABLE leads (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    contact_id uuid NOT NULL,
    conversation_id uuid,
    owner_id uuid,
    status text NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'working', 'unqualified', 'converted')),
    source text NOT NULL DEFAULT 'conversation',
    signals jsonb NOT NULL,
    score int NOT NULL DEFAULT 0,
    reasons jsonb NOT NULL DEFAULT '[]',
    deal_id uuid,
    qualified_at timestamptz NOT NULL,
    converted_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, contact_id) REFERENCES contacts (organization_id, id) ON DELETE CASCADE,
    FOREIGN KEY (organization_id, owner_id) REFERENCES users (organization_id, id)
);
CREATE INDEX leads_score ON leads (organization_id, score DESC, id DESC);
CREATE INDEX leads_owner ON leads (organization_id, owner_id, score DESC, id DESC);
CREATE INDEX leads_status ON leads (organization_id, status, score DESC, id DESC);
CREATE INDEX leads_contact ON leads (organization_id, contact_id, score DESC, id DESC);
CREATE INDEX leads_open ON leads (organization_id, id) WHERE status IN ('new', 'working');
CREATE INDEX leads_open_of_owner ON leads (organization_id, owner_id) WHERE status IN ('new', 'working');
SELECT protect_tenant_table('leads');

-- How an organization's leads find their owners; id: the organization's.
CREATE TABLE lead_routing (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    mode text NOT NULL CHECK (mode IN ('off', 'round_robin', 'least_loaded')),
    contact_owner_first boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    CHECK (id = organization_id)
);
SELECT protect_tenant_table('lead_routing');

-- Who takes leads; `took_at`: when they were last given one by turns.
CREATE TABLE lead_takers (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    took_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, id) REFERENCES users (organization_id, id)
);
SELECT protect_tenant_table('lead_takers');
