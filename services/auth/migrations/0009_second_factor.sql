-- Second factors. They are a person's, whichever organization they sign in to.

CREATE TABLE totp_factors (
    user_id uuid PRIMARY KEY REFERENCES credentials ON DELETE CASCADE,
    sealed_secret bytea NOT NULL,
    confirmed_at timestamptz,
    last_step bigint NOT NULL DEFAULT 0,
    made_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE totp_factors IS 'exempt: a person''s, asked for before an organization is entered; secrets are sealed';
COMMENT ON COLUMN totp_factors.last_step IS 'The time step of the last code that was taken: none is taken twice (RFC 6238, section 5.2).';

CREATE TABLE recovery_codes (
    user_id uuid NOT NULL REFERENCES credentials ON DELETE CASCADE,
    code_hash bytea NOT NULL,
    PRIMARY KEY (user_id, code_hash)
);
COMMENT ON TABLE recovery_codes IS 'exempt: a person''s, asked for before an organization is entered; keyed hashes only';

-- Somebody who has proven the first factor. `enrols`: their organization demands a second one, and they have none.
CREATE TABLE pending_sign_ins (
    token_hash bytea PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES credentials ON DELETE CASCADE,
    organization_id uuid NOT NULL,
    method text NOT NULL,
    enrols boolean NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX pending_sign_ins_expires_at ON pending_sign_ins (expires_at);
COMMENT ON TABLE pending_sign_ins IS 'exempt: found by the hash of a token before an organization is entered; hashes and ids only';

ALTER TABLE sessions
    ADD COLUMN authenticated_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN factors smallint NOT NULL DEFAULT 1 CHECK (factors IN (1, 2));
COMMENT ON COLUMN sessions.authenticated_at IS 'When they last proved who they are.';
UPDATE sessions SET authenticated_at = created_at;

ALTER TABLE organizations ADD COLUMN second_factor_required boolean NOT NULL DEFAULT false;
