CREATE TABLE accounts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    connector text NOT NULL,
    name text NOT NULL,
    state text NOT NULL CHECK (state IN ('connecting', 'connected', 'disconnected', 'failed')),
    reason text,
    external_id text,
    settings jsonb NOT NULL DEFAULT '{}',
    sealed bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id)
);
COMMENT ON COLUMN accounts.external_id IS 'What the vendor calls it: a bot''s id.';
COMMENT ON COLUMN accounts.sealed IS 'Its credentials, sealed with its id; gone once it is disconnected.';
-- One bot is connected once.
CREATE UNIQUE INDEX accounts_connected_once ON accounts (organization_id, connector, external_id)
    WHERE state = 'connected';
SELECT protect_tenant_table('accounts');

CREATE TABLE hook_routes (
    account_id uuid PRIMARY KEY,
    organization_id uuid NOT NULL
);
COMMENT ON TABLE hook_routes IS 'exempt: ids only; a webhook names the account and not the organization';

-- What messaging asked to send, in the order of its conversation; text and chat go once it is decided.
CREATE TABLE send_lines (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    passed bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (organization_id, id)
);
COMMENT ON TABLE send_lines IS 'A conversation''s line of sends: locked by whoever moves it.';
COMMENT ON COLUMN send_lines.passed IS 'The highest number whose send was decided.';
SELECT protect_tenant_table('send_lines');

CREATE TABLE sends (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    account_id uuid NOT NULL,
    channel text NOT NULL,
    number bigint NOT NULL,
    chat text,
    text text,
    cause jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting', 'handed', 'sent', 'failed', 'unconfirmed')),
    release_at timestamptz NOT NULL,
    external_id text,
    decided_at timestamptz,
    sequence bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, conversation_id) REFERENCES send_lines (organization_id, id),
    CHECK ((state IN ('waiting', 'handed')) = (text IS NOT NULL))
);
COMMENT ON TABLE sends IS 'One row a message, by the message''s id.';
COMMENT ON COLUMN sends.cause IS 'The event that asked for it: what its outcome goes back to.';
COMMENT ON COLUMN sends.release_at IS 'Until when it waits for one with a lower number that has not come yet.';
CREATE INDEX sends_in_line ON sends (organization_id, conversation_id, number) WHERE state IN ('waiting', 'handed');
SELECT protect_tenant_table('sends');
