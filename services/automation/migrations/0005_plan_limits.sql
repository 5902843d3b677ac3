-- What the organization's plan allows, as billing says.
CREATE TABLE plan_limits (
    organization_id uuid NOT NULL,
    feature text NOT NULL,
    allowed integer,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, feature)
);
COMMENT ON COLUMN plan_limits.allowed IS 'Null: as many as one likes.';
SELECT protect_tenant_table('plan_limits');

-- Runs begun in a day (UTC), of organizations whose plan limits them.
CREATE TABLE days (
    organization_id uuid NOT NULL,
    day date NOT NULL,
    runs integer NOT NULL,
    PRIMARY KEY (organization_id, day)
);
SELECT protect_tenant_table('days');
