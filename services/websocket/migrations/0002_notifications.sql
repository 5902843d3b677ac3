-- Who may be told something: a copy of what auth says.
CREATE TABLE members (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    state text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('members');

-- What each person was told, or should have been: also the memory by which a wish is answered once.
CREATE TABLE notifications (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    user_id uuid NOT NULL,
    kind text NOT NULL,
    title text,
    text text,
    link text,
    params jsonb,
    state text NOT NULL CHECK (state IN ('awaiting', 'delivered', 'failed')),
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    read_at timestamptz,
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    CHECK ((state = 'failed') = (reason IS NOT NULL))
);
COMMENT ON COLUMN notifications.state IS 'awaiting: who it is for is not known yet';
CREATE INDEX notifications_newest ON notifications (organization_id, user_id, created_at DESC, id DESC)
    WHERE state = 'delivered';
CREATE INDEX notifications_unread ON notifications (organization_id, user_id, created_at DESC, id DESC)
    WHERE state = 'delivered' AND read_at IS NULL;
-- What the end of their time goes by.
CREATE INDEX notifications_oldest ON notifications (organization_id, created_at);
SELECT protect_tenant_table('notifications');

-- What a person wants to be told of, and how; `id` is theirs.
CREATE TABLE notification_preferences (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    choices jsonb NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id)
);
COMMENT ON COLUMN notification_preferences.choices IS '[{"kind": "billing", "in_app": true, "email": false}]';
SELECT protect_tenant_table('notification_preferences');
