ALTER TABLE accounts ADD COLUMN user_id uuid;
COMMENT ON COLUMN accounts.user_id IS 'Whose own it is, as a person''s calendar.';
CREATE INDEX accounts_of_user ON accounts (organization_id, user_id, id DESC) WHERE user_id IS NOT NULL;

SELECT make_wish_table();

-- Events that were asked for, by the id of the wish; title and notes go once it stands or never will.
CREATE TABLE calendar_events (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    booking_id uuid NOT NULL,
    account_id uuid NOT NULL,
    title text,
    description text,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'writing' CHECK (state IN ('writing', 'standing', 'deleting', 'deleted', 'failed')),
    told boolean NOT NULL DEFAULT false,
    external_id text,
    delete_request_id uuid,
    delete_reason text,
    sequence bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, account_id) REFERENCES accounts (organization_id, id)
);
COMMENT ON COLUMN calendar_events.told IS 'The wish has its answer.';
COMMENT ON COLUMN calendar_events.delete_request_id IS 'The undo that waits for an answer.';
CREATE INDEX calendar_events_account ON calendar_events (organization_id, account_id);
SELECT protect_tenant_table('calendar_events');

-- How far each calendar was read, and what was in it.
CREATE TABLE calendar_syncs (
    organization_id uuid NOT NULL,
    account_id uuid NOT NULL,
    collection text NOT NULL,
    token text,
    synced_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, account_id),
    FOREIGN KEY (organization_id, account_id) REFERENCES accounts (organization_id, id)
);
COMMENT ON COLUMN calendar_syncs.collection IS 'Of which calendar the token is: another is looked at from the beginning.';
SELECT protect_tenant_table('calendar_syncs');

CREATE TABLE calendar_items (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    account_id uuid NOT NULL,
    external_id text NOT NULL,
    etag text NOT NULL,
    starts_at timestamptz,
    ends_at timestamptz,
    all_day boolean NOT NULL DEFAULT false,
    recurring boolean NOT NULL DEFAULT false,
    busy boolean NOT NULL DEFAULT true,
    status text NOT NULL DEFAULT 'confirmed',
    present boolean NOT NULL DEFAULT true,
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, account_id) REFERENCES accounts (organization_id, id)
);
COMMENT ON TABLE calendar_items IS 'When a person is busy; never what with.';
CREATE INDEX calendar_items_present ON calendar_items (organization_id, account_id) WHERE present;
SELECT protect_tenant_table('calendar_items');
