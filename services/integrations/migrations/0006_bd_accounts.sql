-- Accounts that business development writes from: what is known of them beside the connected account that each is.
CREATE TABLE bd_accounts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    acquired text NOT NULL CHECK (acquired IN ('own', 'purchased', 'rented')),
    state text NOT NULL CHECK (state IN ('connected', 'disconnected', 'lent', 'sold', 'released')),
    reason text,
    user_id uuid,
    daily_limit integer NOT NULL CHECK (daily_limit BETWEEN 1 AND 100000),
    warm_up_started_at timestamptz,
    warm_up_days integer NOT NULL DEFAULT 0 CHECK (warm_up_days BETWEEN 0 AND 90),
    rent_ends_at timestamptz,
    purchase_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, id) REFERENCES accounts (organization_id, id)
);
SELECT protect_tenant_table('bd_accounts');

CREATE TABLE bd_usage (
    organization_id uuid NOT NULL,
    bd_account_id uuid NOT NULL,
    day date NOT NULL,
    sent integer NOT NULL,
    PRIMARY KEY (organization_id, bd_account_id, day),
    FOREIGN KEY (organization_id, bd_account_id) REFERENCES bd_accounts (organization_id, id)
);
COMMENT ON TABLE bd_usage IS 'Messages sent from an account on a day (UTC).';
SELECT protect_tenant_table('bd_usage');

-- What organizations offer each other. Reserved by one statement, whoever asks.
CREATE TABLE bd_offers (
    id uuid PRIMARY KEY,
    seller_id uuid NOT NULL,
    account_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('sale', 'rent')),
    network text NOT NULL,
    title text NOT NULL,
    price_minor bigint NOT NULL CHECK (price_minor > 0),
    currency text NOT NULL,
    rent_days integer CHECK (rent_days BETWEEN 1 AND 366),
    daily_limit integer NOT NULL,
    state text NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'reserved', 'handed', 'rented', 'sold', 'withdrawn')),
    purchase_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 1,
    CHECK ((kind = 'rent') = (rent_days IS NOT NULL))
);
COMMENT ON TABLE bd_offers IS
    'exempt: a catalogue that every organization reads; holds no credentials, no names of people, nothing of customers';
CREATE UNIQUE INDEX bd_offers_once ON bd_offers (account_id)
    WHERE state IN ('open', 'reserved', 'handed', 'rented');
CREATE INDEX bd_offers_open ON bd_offers (id DESC) WHERE state = 'open';
CREATE INDEX bd_offers_seller ON bd_offers (seller_id, id DESC);

CREATE TABLE bd_purchases (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    offer_id uuid NOT NULL,
    seller_id uuid NOT NULL,
    source_account_id uuid NOT NULL,
    bd_account_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('sale', 'rent')),
    network text NOT NULL,
    title text NOT NULL,
    price_minor bigint NOT NULL,
    currency text NOT NULL,
    rent_days integer,
    daily_limit integer NOT NULL,
    user_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'buying' CHECK (state IN ('buying', 'handing', 'handed', 'done', 'failed', 'released')),
    reason text,
    handover_request_id uuid,
    revoke_request_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id)
);
COMMENT ON COLUMN bd_purchases.source_account_id IS 'The seller''s account; bd_account_id is the buyer''s, from the beginning.';
COMMENT ON COLUMN bd_purchases.user_id IS 'Who shall write from it.';
CREATE INDEX bd_purchases_handover ON bd_purchases (organization_id, handover_request_id)
    WHERE handover_request_id IS NOT NULL;
SELECT protect_tenant_table('bd_purchases');
SELECT make_saga_tables();
