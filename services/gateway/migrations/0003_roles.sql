-- Organizations' own roles: what principals of people who have one may, read into memory by every process.
CREATE TABLE roles (
    organization_id uuid NOT NULL,
    role_id uuid NOT NULL,
    sequence bigint NOT NULL,
    grants text[] NOT NULL,
    PRIMARY KEY (organization_id, role_id)
);
CREATE INDEX roles_role_id ON roles (role_id);
COMMENT ON TABLE roles IS 'exempt: names of permissions by ids, looked up before the tenant is known';

ALTER TABLE memberships ADD COLUMN role_id uuid;
