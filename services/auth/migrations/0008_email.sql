-- Addresses that were shown to be their owners', and what e-mail lets them do.

ALTER TABLE credentials ADD COLUMN email_verified_at timestamptz;
COMMENT ON COLUMN credentials.email_verified_at IS 'When they first showed that mail to their address reaches them.';

-- A token stands in one mail and here as its hash; `mail_id` is the mail's, so that one that is sent again counts once.
CREATE TABLE email_tokens (
    token_hash bytea PRIMARY KEY,
    purpose text NOT NULL CHECK (purpose IN ('verify_email', 'reset_password')),
    user_id uuid NOT NULL REFERENCES credentials ON DELETE CASCADE,
    mail_id uuid NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX email_tokens_user ON email_tokens (user_id, purpose, made_at);
CREATE INDEX email_tokens_expires_at ON email_tokens (expires_at);
COMMENT ON TABLE email_tokens IS 'exempt: finds the person of a token before their organization is known; hashes and ids only';

ALTER TABLE users ADD COLUMN security_changes bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN users.security_changes IS 'Counts what is told of how they prove who they are: the sequence of those events.';

ALTER TABLE sessions DROP CONSTRAINT sessions_end_reason_check;
ALTER TABLE sessions ADD CONSTRAINT sessions_end_reason_check CHECK (end_reason IN (
    'signed_out', 'revoked', 'refresh_reused', 'user_deactivated', 'password_changed', 'second_factor_changed',
    'second_factor_required'));
