-- Organizations, the people in them, and how they sign in.

-- Looked up before the organization is known: hashes and ids only.
CREATE TABLE credentials (
    user_id uuid PRIMARY KEY,
    email_hash bytea NOT NULL UNIQUE,
    password_hash text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE credentials IS 'exempt: found by the hash of an e-mail address before the organization is known; hashes and ids only';

CREATE TABLE memberships (
    user_id uuid NOT NULL,
    organization_id uuid NOT NULL,
    joined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, organization_id)
);
COMMENT ON TABLE memberships IS 'exempt: says which organizations a person may sign in to before one is chosen; ids only';

-- Counts attempts for addresses that nobody has, too: so a lock tells nobody which ones exist.
CREATE TABLE sign_in_attempts (
    email_hash bytea PRIMARY KEY,
    failures int NOT NULL,
    locked_until timestamptz,
    last_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sign_in_attempts_last_at ON sign_in_attempts (last_at);
COMMENT ON TABLE sign_in_attempts IS 'exempt: counted before the organization is known; hashes only';

CREATE TABLE organizations (
    organization_id uuid NOT NULL,
    id uuid NOT NULL CHECK (id = organization_id),
    name text NOT NULL,
    slug text NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    currency text NOT NULL,
    region text NOT NULL,
    state text NOT NULL CHECK (state IN ('trial', 'active', 'suspended')),
    sequence bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('organizations');

-- Slugs are unique in the fleet: they will stand in addresses.
CREATE TABLE slugs (
    slug_hash bytea PRIMARY KEY,
    organization_id uuid NOT NULL
);
COMMENT ON TABLE slugs IS 'exempt: finds the organization of an address; hashes and ids only';

CREATE TABLE users (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    email text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    locale text NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'deactivated')),
    failed_sign_ins bigint NOT NULL DEFAULT 0,
    sequence bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, email),
    FOREIGN KEY (organization_id, organization_id) REFERENCES organizations (organization_id, id)
);
SELECT protect_tenant_table('users');

CREATE TABLE sessions (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    method text NOT NULL,
    address text,
    user_agent text,
    created_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text CHECK (end_reason IN ('signed_out', 'revoked', 'refresh_reused', 'user_deactivated')),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id)
);
CREATE INDEX sessions_live ON sessions (organization_id, user_id, id) WHERE ended_at IS NULL;
SELECT protect_tenant_table('sessions');

CREATE TABLE refresh_tokens (
    token_hash bytea PRIMARY KEY,
    organization_id uuid NOT NULL,
    session_id uuid NOT NULL,
    user_id uuid NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    FOREIGN KEY (organization_id, session_id) REFERENCES sessions (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (organization_id, session_id);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);
COMMENT ON TABLE refresh_tokens IS 'exempt: finds the organization, the person and the session of a token; hashes and ids only';

CREATE TABLE invitations (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    email text NOT NULL,
    role text NOT NULL,
    invited_by uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('pending', 'accepted', 'revoked')),
    expires_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, invited_by) REFERENCES users (organization_id, id)
);
CREATE INDEX invitations_by ON invitations (organization_id, invited_by) WHERE state = 'pending';
CREATE UNIQUE INDEX invitations_pending ON invitations (organization_id, email) WHERE state = 'pending';
SELECT protect_tenant_table('invitations');

CREATE TABLE invitation_tokens (
    token_hash bytea PRIMARY KEY,
    organization_id uuid NOT NULL,
    invitation_id uuid NOT NULL,
    FOREIGN KEY (organization_id, invitation_id) REFERENCES invitations (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX invitation_tokens_invitation ON invitation_tokens (organization_id, invitation_id);
COMMENT ON TABLE invitation_tokens IS 'exempt: finds the organization and the invitation of a token; hashes and ids only';
