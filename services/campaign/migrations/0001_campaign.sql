CREATE TABLE sequences (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'deleted')),
    steps jsonb NOT NULL,
    stop_on_reply boolean NOT NULL,
    version integer NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX sequences_listed ON sequences (organization_id, id) WHERE state = 'active';
SELECT protect_tenant_table('sequences');

-- What a sequence said when it was published; never changed, so that an enrolment ends as it began.
CREATE TABLE sequence_versions (
    organization_id uuid NOT NULL,
    sequence_id uuid NOT NULL,
    version integer NOT NULL,
    steps jsonb NOT NULL,
    stop_on_reply boolean NOT NULL,
    published_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, sequence_id, version),
    FOREIGN KEY (organization_id, sequence_id) REFERENCES sequences (organization_id, id)
);
SELECT protect_tenant_table('sequence_versions');

CREATE TABLE enrolments (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    sequence_id uuid NOT NULL,
    version integer NOT NULL,
    contact_id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    fields jsonb NOT NULL,
    time_zone text,
    state text NOT NULL CHECK (state IN ('active', 'paused', 'finished', 'stopped')),
    reason text,
    step integer NOT NULL DEFAULT 0,
    phase text NOT NULL CHECK (phase IN ('due', 'wait', 'window', 'answer')),
    due_at timestamptz NOT NULL,
    replied_at timestamptz,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, sequence_id, version)
        REFERENCES sequence_versions (organization_id, sequence_id, version)
);
-- One run a person and sequence at a time.
CREATE UNIQUE INDEX enrolments_active ON enrolments (organization_id, sequence_id, contact_id)
    WHERE ended_at IS NULL;
CREATE INDEX enrolments_listed ON enrolments (organization_id, sequence_id, id);
CREATE INDEX enrolments_of_conversation ON enrolments (organization_id, conversation_id);
CREATE INDEX enrolments_of_contact ON enrolments (organization_id, contact_id) WHERE ended_at IS NULL;
SELECT protect_tenant_table('enrolments');

-- The ledger: a step of an enrolment is done once, whatever fires or is delivered again.
CREATE TABLE effects (
    organization_id uuid NOT NULL,
    enrolment_id uuid NOT NULL,
    step integer NOT NULL,
    kind text NOT NULL,
    request_id uuid,
    state text NOT NULL CHECK (state IN ('asked', 'done', 'failed')),
    reason text,
    begun_at timestamptz NOT NULL DEFAULT now(),
    over_at timestamptz,
    PRIMARY KEY (organization_id, enrolment_id, step),
    UNIQUE (organization_id, request_id),
    FOREIGN KEY (organization_id, enrolment_id) REFERENCES enrolments (organization_id, id)
);
SELECT protect_tenant_table('effects');

CREATE TABLE suppressions (
    organization_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    reason text NOT NULL CHECK (reason IN ('replied', 'requested')),
    unsubscribed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, contact_id)
);
SELECT protect_tenant_table('suppressions');

-- The organization's own zone, for people whose zone is not known.
CREATE TABLE organization_zones (
    organization_id uuid NOT NULL,
    time_zone text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id)
);
SELECT protect_tenant_table('organization_zones');

-- Whose messages are listened for, of all organizations at once: it decides whether the lane is bound.
CREATE TABLE listening (
    organization_id uuid NOT NULL,
    enrolment_id uuid NOT NULL,
    over_at timestamptz,
    PRIMARY KEY (organization_id, enrolment_id)
);
CREATE INDEX listening_over ON listening (over_at) WHERE over_at IS NOT NULL;
COMMENT ON TABLE listening IS 'exempt: ids and times; the lane is bound for all organizations';

CREATE TABLE bound (
    id uuid PRIMARY KEY,
    wanted_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE bound IS 'exempt: one row, while the lane is bound';
