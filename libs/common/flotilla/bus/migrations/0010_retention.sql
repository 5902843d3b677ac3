-- How long each organization keeps what, as auth tells it, and how far the sweep of what is older has come.
CREATE TABLE retained (
    organization_id uuid PRIMARY KEY,
    -- {"messages": 365, "calls": null}: days, null as long as it is there; what is not named is as by default.
    periods jsonb NOT NULL,
    -- Kinds under a legal hold, or 'all'.
    held text[] NOT NULL,
    sequence bigint NOT NULL,
    -- When all of it was swept last.
    swept_at timestamptz,
    -- What went since that was last told, by kind.
    swept jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX retained_swept_at ON retained (swept_at NULLS FIRST, organization_id);
CREATE INDEX parked_events_organization ON parked_events (organization_id, failed_at) WHERE state = 'parked';
