-- Inboxes: where an organization's conversations arrive, when somebody is there, and what the AI may do meanwhile.
CREATE TABLE inboxes (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    channels text[] NOT NULL,
    time_zone text NOT NULL,
    hours jsonb NOT NULL,
    ai_mode text NOT NULL CHECK (ai_mode IN ('off', 'draft', 'autopilot')),
    is_default boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id)
);
COMMENT ON COLUMN inboxes.hours IS 'Windows of the week: [{"weekday": 1-7, "opens": "09:00", "closes": "17:00"}], in time_zone.';
CREATE UNIQUE INDEX inboxes_default ON inboxes (organization_id) WHERE is_default;
SELECT protect_tenant_table('inboxes');

-- Wishes that can be taken back: which were granted, and which were taken back before they came.
SELECT make_wish_table();
