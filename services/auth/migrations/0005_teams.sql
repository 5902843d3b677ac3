-- Teams, whom their clients are given to, and who is there.

-- `turn` is whose turn it was last: this row is what two who distribute at once wait for.
CREATE TABLE teams (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    skills text[] NOT NULL,
    distribution text NOT NULL CHECK (distribution IN ('round_robin', 'weighted', 'least_loaded', 'by_skill')),
    sticky boolean NOT NULL,
    time_zone text NOT NULL,
    hours jsonb NOT NULL,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived')),
    turn uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('teams');

CREATE TABLE team_members (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    lead boolean NOT NULL,
    skills text[] NOT NULL,
    capacity int NOT NULL CHECK (capacity >= 0),
    weight int NOT NULL CHECK (weight >= 0),
    credit bigint NOT NULL DEFAULT 0,
    added_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, team_id, user_id),
    FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id),
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE INDEX team_members_user ON team_members (organization_id, user_id);
COMMENT ON COLUMN team_members.credit IS 'What their weight has earned them; whoever has most is given the next client.';
SELECT protect_tenant_table('team_members');

-- Who takes care of a client; nobody, and who did last, where they were released.
CREATE TABLE client_assignments (
    organization_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid,
    last_user_id uuid,
    reason text NOT NULL,
    skill text,
    assigned_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (organization_id, contact_id),
    FOREIGN KEY (organization_id, team_id) REFERENCES teams (organization_id, id)
);
CREATE INDEX client_assignments_team ON client_assignments (organization_id, team_id, contact_id) WHERE user_id IS NOT NULL;
CREATE INDEX client_assignments_user ON client_assignments (organization_id, user_id, team_id) WHERE user_id IS NOT NULL;
SELECT protect_tenant_table('client_assignments');

CREATE TABLE presences (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('online', 'busy', 'away', 'offline')),
    until timestamptz,
    changed_at timestamptz NOT NULL DEFAULT now(),
    spell bigint NOT NULL DEFAULT 1,
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, user_id),
    CHECK ((status = 'offline') = (until IS NULL)),
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
COMMENT ON COLUMN presences.spell IS 'The sequence with which they came last: each time of being there has one timer.';
SELECT protect_tenant_table('presences');
