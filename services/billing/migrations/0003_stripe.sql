-- An organization's own Stripe account, through which its customers pay its invoices.
CREATE TABLE stripe_accounts (
    organization_id uuid PRIMARY KEY,
    sealed bytea NOT NULL,
    sequence bigint NOT NULL DEFAULT 1
);
COMMENT ON COLUMN stripe_accounts.sealed IS 'Its secret key and its webhook''s secret, sealed with the organization''s id.';
SELECT protect_tenant_table('stripe_accounts');

-- An organization as a customer of the platform's Stripe account.
CREATE TABLE stripe_customers (
    organization_id uuid PRIMARY KEY,
    customer_id text NOT NULL,
    subscription_id text
);
SELECT protect_tenant_table('stripe_customers');

CREATE TABLE checkouts (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    plan text,
    invoice_id uuid,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'open', 'completed', 'failed')),
    session_id text,
    url text,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, invoice_id) REFERENCES invoices (organization_id, id),
    CHECK ((plan IS NULL) <> (invoice_id IS NULL))
);
SELECT protect_tenant_table('checkouts');

-- Stripe's events that were taken; it repeats them for three days.
CREATE TABLE stripe_events (
    organization_id uuid NOT NULL,
    id text NOT NULL,
    type text NOT NULL,
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('stripe_events');

-- The newest state of each object of Stripe's that was applied: its events come in any order.
CREATE TABLE stripe_objects (
    organization_id uuid NOT NULL,
    id text NOT NULL,
    told_at timestamptz NOT NULL,
    ended boolean NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('stripe_objects');

CREATE INDEX payments_by_reference ON payments (organization_id, reference) WHERE method = 'stripe';
