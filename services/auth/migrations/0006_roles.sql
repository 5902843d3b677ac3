-- An organization's own roles. `base` is the smallest built-in role that may all of it: what other services go by.
CREATE TABLE roles (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    base text NOT NULL,
    permissions jsonb NOT NULL,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'deleted')),
    created_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id)
);
CREATE UNIQUE INDEX roles_name ON roles (organization_id, lower(name)) WHERE state = 'active';
COMMENT ON COLUMN roles.permissions IS '{"<resource>:<action>": "team" | "all"}';
SELECT protect_tenant_table('roles');

ALTER TABLE users
    ADD COLUMN role_id uuid,
    ADD FOREIGN KEY (organization_id, role_id) REFERENCES roles (organization_id, id);
CREATE INDEX users_role ON users (organization_id, role_id) WHERE role_id IS NOT NULL;
