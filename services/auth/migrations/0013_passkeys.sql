-- Passkeys (WebAuthn). They are a person's, whichever organization they sign in to.

CREATE TABLE passkeys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES credentials ON DELETE CASCADE,
    credential_id bytea NOT NULL UNIQUE,
    public_key bytea NOT NULL,
    sign_count bigint NOT NULL,
    sealed_name bytea NOT NULL,
    transports text[] NOT NULL,
    backed_up boolean NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    used_at timestamptz,
    cloned_at timestamptz,
    sequence bigint NOT NULL DEFAULT 1
);
CREATE INDEX passkeys_user ON passkeys (user_id, id);
COMMENT ON TABLE passkeys IS 'exempt: finds the person of a passkey before an organization is entered; names are sealed';
COMMENT ON COLUMN passkeys.public_key IS 'As COSE writes it (RFC 9052).';
COMMENT ON COLUMN passkeys.cloned_at IS 'When its count of signatures went back: two have it, and it is refused from then on.';

-- Random, for one purpose, once. `bound_to`: the hash of the half-way sign-in, or the session, that it was made for.
CREATE TABLE passkey_challenges (
    challenge_hash bytea PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('register', 'enrol', 'sign_in', 'second_factor', 'step_up')),
    user_id uuid REFERENCES credentials ON DELETE CASCADE,
    bound_to bytea NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX passkey_challenges_expires_at ON passkey_challenges (expires_at);
COMMENT ON TABLE passkey_challenges IS 'exempt: found by the hash of a challenge before an organization is entered; hashes and ids only';
