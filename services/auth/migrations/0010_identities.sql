-- Accounts elsewhere with which people sign in (OpenID Connect).

CREATE TABLE identities (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES credentials ON DELETE CASCADE,
    provider text NOT NULL,
    issuer text NOT NULL,
    subject_hash bytea NOT NULL,
    linked_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    UNIQUE (issuer, subject_hash)
);
CREATE INDEX identities_user ON identities (user_id, id);
COMMENT ON TABLE identities IS 'exempt: finds the person of an account elsewhere before an organization is entered; keyed hashes and ids only';

-- State, nonce and the verifier of PKCE are derived from the token, which only who began has. `user_id`: who is
-- signed in, and links the account.
CREATE TABLE oidc_flows (
    token_hash bytea PRIMARY KEY,
    provider text NOT NULL,
    user_id uuid REFERENCES credentials ON DELETE CASCADE,
    organization_id uuid,
    expires_at timestamptz NOT NULL
);
CREATE INDEX oidc_flows_expires_at ON oidc_flows (expires_at);
COMMENT ON TABLE oidc_flows IS 'exempt: found by the hash of a token before an organization is entered; hashes and ids only';
