-- What an organization has paid beforehand, by currency: the sum of its entries, kept beside them.
CREATE TABLE wallets (
    organization_id uuid NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    balance_minor bigint NOT NULL CHECK (balance_minor >= 0),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, currency)
);
SELECT protect_tenant_table('wallets');

-- The ledger: written once, never changed. What is paid twice under one id is written once.
CREATE TABLE wallet_entries (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    currency text NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
    balance_minor bigint NOT NULL CHECK (balance_minor >= 0),
    kind text NOT NULL CHECK (kind IN ('top_up', 'payment', 'refund', 'plan')),
    purchase_id uuid,
    text text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, currency) REFERENCES wallets (organization_id, currency)
);
COMMENT ON COLUMN wallet_entries.amount_minor IS 'What came, or below nothing what went.';
COMMENT ON COLUMN wallet_entries.balance_minor IS 'After it.';
CREATE INDEX wallet_entries_newest ON wallet_entries (organization_id, id DESC);
SELECT protect_tenant_table('wallet_entries');

-- What the organization bought because another service asked, by the id of that request.
CREATE TABLE purchases (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    state text NOT NULL CHECK (state IN ('pending', 'succeeded', 'failed', 'refunding', 'refunded')),
    amount_minor bigint NOT NULL,
    currency text NOT NULL,
    purpose text NOT NULL,
    reference text NOT NULL,
    method text NOT NULL CHECK (method IN ('balance', 'stripe')),
    intent_id text,
    refund_request_id uuid,
    reason text NOT NULL DEFAULT '',
    occurred_at timestamptz NOT NULL DEFAULT now(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
COMMENT ON COLUMN purchases.refund_request_id IS 'Who asked for the money back; also while it is not known whether it came.';
CREATE INDEX purchases_newest ON purchases (organization_id, id DESC);
SELECT protect_tenant_table('purchases');
