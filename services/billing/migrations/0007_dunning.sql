ALTER TABLE subscriptions ADD COLUMN grace_ends_at timestamptz;
ALTER TABLE subscriptions ADD CHECK (state = 'past_due' OR grace_ends_at IS NULL);
COMMENT ON COLUMN subscriptions.grace_ends_at IS 'Until when what is owed may come before the plan is lost.';

-- Bills of the subscription that were not paid when they should have been: Stripe's invoices, or months of a local plan.
CREATE TABLE overdue_bills (
    organization_id uuid NOT NULL,
    id text NOT NULL,
    amount_minor bigint CHECK (amount_minor > 0),
    currency text,
    failed_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    CHECK ((amount_minor IS NULL) = (currency IS NULL))
);
COMMENT ON COLUMN overdue_bills.amount_minor IS 'Of a local plan; Stripe knows what it is owed.';
SELECT protect_tenant_table('overdue_bills');

-- Who is told when money is owed.
CREATE TABLE owners (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL,
    is_owner boolean NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('owners');
