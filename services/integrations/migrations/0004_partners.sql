-- What a partner's program is told of the organization's events, and how.
CREATE TABLE partner_subscriptions (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    kind text NOT NULL CHECK (kind IN ('amqp', 'webhook')),
    name text NOT NULL,
    types text[] NOT NULL,
    filters jsonb NOT NULL DEFAULT '{}',
    personal_data boolean NOT NULL,
    org_wide boolean NOT NULL,
    url text,
    state text NOT NULL CHECK (state IN ('preparing', 'active', 'paused', 'disabled', 'deleted')),
    reason text,
    sealed bytea,
    runs integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    CHECK ((kind = 'webhook') = (url IS NOT NULL))
);
COMMENT ON COLUMN partner_subscriptions.org_wide IS 'Whether who made it sees events of any audience.';
COMMENT ON COLUMN partner_subscriptions.sealed IS 'Its secrets, sealed with its id; gone once it is deleted.';
COMMENT ON COLUMN partner_subscriptions.runs IS 'How often something was delivered again.';
CREATE INDEX partner_subscriptions_listed ON partner_subscriptions (organization_id, id) WHERE state <> 'deleted';
SELECT protect_tenant_table('partner_subscriptions');

-- Beside its subscription: turns write it, and never wait for a person who changes the subscription.
CREATE TABLE partner_health (
    organization_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    rest_until timestamptz,
    delivered_at timestamptz,
    PRIMARY KEY (organization_id, subscription_id),
    FOREIGN KEY (organization_id, subscription_id) REFERENCES partner_subscriptions (organization_id, id)
);
SELECT protect_tenant_table('partner_health');

-- The window: events that somebody subscribed to, numbered without gaps for each organization, kept for a week.
CREATE TABLE partner_windows (
    organization_id uuid PRIMARY KEY,
    last_position bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE partner_windows IS 'The end of each window: locked by whoever adds to it.';
SELECT protect_tenant_table('partner_windows');

CREATE TABLE partner_events (
    organization_id uuid NOT NULL,
    position bigint NOT NULL,
    id uuid NOT NULL,
    type text NOT NULL,
    time timestamptz NOT NULL,
    body bytea NOT NULL,
    kept_on date NOT NULL DEFAULT (now() AT TIME ZONE 'UTC')::date,
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (organization_id, position, kept_on)
) PARTITION BY RANGE (kept_on);
COMMENT ON COLUMN partner_events.kept_at IS 'Read while the window is held, so that it rises with the position.';
COMMENT ON COLUMN partner_events.body IS 'Without what is personal, where no subscription asks for it.';
CREATE INDEX partner_events_id ON partner_events (organization_id, id);
CREATE INDEX partner_events_kept ON partner_events (organization_id, kept_at, position);
SELECT protect_tenant_table('partner_events');
CREATE TABLE partner_events_default PARTITION OF partner_events DEFAULT;
SELECT protect_tenant_table('partner_events_default');

-- Daily partitions from today to three ahead; those past a week go whole. The runtime role owns nothing, so this
-- runs as the owner. A day whose rows already stand in the default partition stays there.
CREATE FUNCTION keep_partner_partitions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET timezone = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    day date;
    partition_name text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(current_schema() || '.partner_events'));
    FOR day IN SELECT generate_series(current_date, current_date + 3, interval '1 day') LOOP
        partition_name := 'partner_events_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(partition_name) IS NOT NULL;
        BEGIN
            EXECUTE format('CREATE TABLE %I PARTITION OF partner_events FOR VALUES FROM (%L) TO (%L)',
                           partition_name, day, day + 1);
        EXCEPTION WHEN check_violation THEN
            CONTINUE;
        END;
        -- A partition named directly is not under its parent's policy.
        PERFORM protect_tenant_table(partition_name);
    END LOOP;
    FOR partition_name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'partner_events'::regclass AND c.relname <> 'partner_events_default'
          AND c.relname < 'partner_events_' || to_char(current_date - 7, 'YYYYMMDD') LOOP
        EXECUTE format('DROP TABLE %I', partition_name);
    END LOOP;
END $$;
SELECT keep_partner_partitions();

-- One row for each event and subscription, and another each time it is delivered again.
CREATE TABLE partner_deliveries (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    run integer NOT NULL DEFAULT 0,
    position bigint,
    event_id uuid NOT NULL,
    type text NOT NULL,
    body bytea,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'failed', 'expired')),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT now(),
    status integer,
    milliseconds integer,
    response text,
    error text,
    made_at timestamptz NOT NULL DEFAULT now(),
    attempted_at timestamptz,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, subscription_id, position, run),
    FOREIGN KEY (organization_id, subscription_id) REFERENCES partner_subscriptions (organization_id, id),
    CHECK ((position IS NULL) = (body IS NOT NULL))
);
COMMENT ON COLUMN partner_deliveries.run IS '0 at first; then the subscription''s count of what was delivered again.';
COMMENT ON COLUMN partner_deliveries.position IS 'Of the event in the window; null of a test, which is in no window.';
CREATE INDEX partner_deliveries_due ON partner_deliveries (organization_id, subscription_id, due_at, id)
    WHERE state = 'waiting';
CREATE INDEX partner_deliveries_log ON partner_deliveries (organization_id, subscription_id, id);
CREATE INDEX partner_deliveries_undelivered ON partner_deliveries (organization_id, subscription_id, state, id)
    WHERE state <> 'delivered';
CREATE INDEX partner_deliveries_made ON partner_deliveries (organization_id, made_at);
SELECT protect_tenant_table('partner_deliveries');

-- Which types are wanted, of all organizations at once: it decides what the lane binds.
CREATE TABLE partner_wants (
    pattern text NOT NULL,
    organization_id uuid NOT NULL,
    subscription_id uuid NOT NULL,
    PRIMARY KEY (pattern, organization_id, subscription_id)
);
CREATE INDEX partner_wants_subscription ON partner_wants (organization_id, subscription_id);
COMMENT ON TABLE partner_wants IS 'exempt: ids and names of contracts; the lane is bound for all organizations';

CREATE TABLE partner_bound_types (
    type text PRIMARY KEY,
    wanted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE partner_bound_types IS 'exempt: names of contracts that the lane is bound to';

-- Organizations that have something to sweep.
CREATE TABLE partner_organizations (
    id uuid PRIMARY KEY
);
COMMENT ON TABLE partner_organizations IS 'exempt: ids of organizations that have had a subscription';
