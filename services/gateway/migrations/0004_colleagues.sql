-- Who is in a team with whom: what principals say of people who have something for their team alone.
CREATE TABLE team_members (
    organization_id uuid NOT NULL,
    membership_id uuid NOT NULL,
    sequence bigint NOT NULL,
    team_id uuid NOT NULL,
    user_id uuid NOT NULL,
    left_at timestamptz,
    PRIMARY KEY (organization_id, membership_id)
);
COMMENT ON TABLE team_members IS 'exempt: ids and times, looked up before the tenant is known';
