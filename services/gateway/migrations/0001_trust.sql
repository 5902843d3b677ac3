-- What the gateway keeps of others in order to decide: ids, states and public keys, nothing personal.
-- Every process reads these tables across organizations, so none has a tenant's policy.

CREATE TABLE key_sets (
    key_set_id uuid PRIMARY KEY,
    sequence bigint NOT NULL,
    keys jsonb NOT NULL
);
COMMENT ON TABLE key_sets IS 'exempt: public signing keys of the platform, which belong to no tenant';

CREATE TABLE ended_sessions (
    session_id uuid PRIMARY KEY,
    ended_at timestamptz NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ended_sessions_noted_at ON ended_sessions (noted_at);
COMMENT ON TABLE ended_sessions IS 'exempt: ids of ended sessions, looked up before the tenant is known';

CREATE TABLE organization_states (
    organization_id uuid PRIMARY KEY,
    sequence bigint NOT NULL,
    state text NOT NULL
);
CREATE INDEX organization_states_suspended ON organization_states (organization_id) WHERE state = 'suspended';
COMMENT ON TABLE organization_states IS 'exempt: ids and states, read for all organizations at once';

CREATE TABLE memberships (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    sequence bigint NOT NULL,
    role text NOT NULL,
    state text NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, user_id)
);
CREATE INDEX memberships_noted_at ON memberships (noted_at);
COMMENT ON TABLE memberships IS 'exempt: ids, roles and states, read for all organizations at once';
