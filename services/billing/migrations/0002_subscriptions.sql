CREATE TABLE subscriptions (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    plan text NOT NULL,
    state text NOT NULL CHECK (state IN ('trialing', 'active', 'past_due', 'cancelled')),
    provider text NOT NULL CHECK (provider IN ('local', 'stripe')),
    trial_ends_at timestamptz,
    period_started_at timestamptz NOT NULL,
    period_ends_at timestamptz NOT NULL,
    cancel_at_period_end boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id)
);
SELECT protect_tenant_table('subscriptions');

-- What the organization may use of each feature, and what it used in the period that began at period_started_at.
CREATE TABLE entitlements (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    feature text NOT NULL,
    enabled boolean NOT NULL,
    usage_limit bigint,
    beyond text NOT NULL CHECK (beyond IN ('block', 'overage')),
    used bigint NOT NULL DEFAULT 0 CHECK (used >= 0),
    told int NOT NULL DEFAULT 0,
    period_started_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, feature)
);
COMMENT ON COLUMN entitlements.told IS 'The highest share of the limit, in percent, that was told of in this period.';
SELECT protect_tenant_table('entitlements');

-- Each use that was told of, by the id it was told under: what makes counting it twice impossible.
CREATE TABLE usage_records (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    feature text NOT NULL,
    amount bigint NOT NULL CHECK (amount >= 0),
    used_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, id, feature)
);
SELECT protect_tenant_table('usage_records');

CREATE TABLE usage_periods (
    organization_id uuid NOT NULL,
    feature text NOT NULL,
    period_started_at timestamptz NOT NULL,
    used bigint NOT NULL,
    PRIMARY KEY (organization_id, feature, period_started_at)
);
SELECT protect_tenant_table('usage_periods');

-- What counts for as long as it is there: people who work in the organization, accounts it has connected.
CREATE TABLE holdings (
    organization_id uuid NOT NULL,
    feature text NOT NULL,
    id uuid NOT NULL,
    held boolean NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, feature, id)
);
SELECT protect_tenant_table('holdings');
