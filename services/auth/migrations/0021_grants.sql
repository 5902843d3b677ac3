-- What an organization lets another do: read some of its things, or look after it as its parent.
CREATE TABLE organization_grants (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    grantee_id uuid NOT NULL CHECK (grantee_id <> organization_id),
    kind text NOT NULL CHECK (kind IN ('data', 'administration')),
    permissions text[] NOT NULL DEFAULT '{}',
    state text NOT NULL CHECK (state IN ('offered', 'active', 'revoked')),
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz,
    revoked_by uuid,
    PRIMARY KEY (organization_id, id),
    CHECK ((kind = 'data') = (permissions <> '{}')),
    CHECK ((state = 'revoked') = (revoked_at IS NOT NULL AND revoked_by IS NOT NULL))
);
COMMENT ON COLUMN organization_grants.organization_id IS 'Whose things they are; of administration, the child.';
-- A child has one parent.
CREATE UNIQUE INDEX organization_grants_parent ON organization_grants (organization_id)
    WHERE kind = 'administration' AND state = 'active';
SELECT protect_tenant_table('organization_grants');

-- Where a grantee finds what it was granted: the grant itself is the grantor's.
CREATE TABLE received_grants (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    grantor_id uuid NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('received_grants');

-- People of a parent in its child: their membership comes of the grant, and ends with it.
CREATE TABLE derived_memberships (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    parent_id uuid NOT NULL,
    grant_id uuid NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX derived_memberships_parent ON derived_memberships (parent_id, user_id);
COMMENT ON TABLE derived_memberships IS 'exempt: ids only; asked by the parent''s people, whose organization it is not';
