-- A goal, an audience, and what it is sent: a sequence, or one message, which is a sequence of its own.
CREATE TABLE campaigns (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    goal text,
    state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'scheduled', 'running', 'paused', 'finished')),
    segment_id uuid,
    sequence_id uuid NOT NULL,
    is_bulk boolean NOT NULL,
    starts_at timestamptz,
    people_per_minute integer NOT NULL CHECK (people_per_minute > 0),
    started_at timestamptz,
    finished_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, sequence_id) REFERENCES sequences (organization_id, id)
);
COMMENT ON COLUMN campaigns.segment_id IS 'Whoever is in it when the campaign starts; null: the people it was given.';
CREATE INDEX campaigns_of_sequence ON campaigns (organization_id, sequence_id);
SELECT protect_tenant_table('campaigns');

CREATE TABLE campaign_people (
    organization_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    conversation_id uuid,
    fields jsonb NOT NULL DEFAULT '{}',
    time_zone text,
    state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'enrolled', 'refused')),
    reason text,
    PRIMARY KEY (organization_id, campaign_id, contact_id),
    FOREIGN KEY (organization_id, campaign_id) REFERENCES campaigns (organization_id, id) ON DELETE CASCADE
);
COMMENT ON COLUMN campaign_people.fields IS 'What texts may use; forgotten once they are enrolled.';
CREATE INDEX campaign_people_waiting ON campaign_people (organization_id, campaign_id, contact_id)
    WHERE state = 'waiting';
SELECT protect_tenant_table('campaign_people');

-- The sequence of a bulk send stands in no list of sequences.
ALTER TABLE sequences ADD COLUMN is_bulk boolean NOT NULL DEFAULT false;
CREATE INDEX enrolments_of_campaign ON enrolments (organization_id, campaign_id)
    WHERE campaign_id IS NOT NULL AND ended_at IS NULL;
