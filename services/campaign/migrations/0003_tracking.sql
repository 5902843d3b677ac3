ALTER TABLE enrolments ADD COLUMN campaign_id uuid;
ALTER TABLE enrolments ADD COLUMN opened_at timestamptz;
ALTER TABLE enrolments ADD COLUMN clicked_at timestamptz;
COMMENT ON COLUMN enrolments.opened_at IS 'When the person first opened a message of this run; programs that look ahead do not count.';

-- Every message that was asked for, and what became of it: what reports count, and what tracked links lead to.
CREATE TABLE sends (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    enrolment_id uuid NOT NULL,
    sequence_id uuid NOT NULL,
    version integer NOT NULL,
    step integer NOT NULL,
    variant text,
    campaign_id uuid,
    contact_id uuid NOT NULL,
    links text[] NOT NULL DEFAULT '{}',
    asked_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    delivered_at timestamptz,
    failed_at timestamptz,
    bounced_at timestamptz,
    opened_at timestamptz,
    clicked_at timestamptz,
    replied_at timestamptz,
    unsubscribed_at timestamptz,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, enrolment_id) REFERENCES enrolments (organization_id, id)
);
COMMENT ON COLUMN sends.id IS 'The message''s.';
COMMENT ON COLUMN sends.links IS 'Where its tracked links lead, in their order.';
CREATE INDEX sends_of_step ON sends (organization_id, sequence_id, version, step);
CREATE INDEX sends_of_campaign ON sends (organization_id, campaign_id) WHERE campaign_id IS NOT NULL;
CREATE INDEX sends_of_enrolment ON sends (organization_id, enrolment_id, step);
SELECT protect_tenant_table('sends');

-- Opens and clicks: the first of each kind is told, the others are counted.
CREATE TABLE touches (
    organization_id uuid NOT NULL,
    message_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('open', 'click')),
    link smallint NOT NULL,
    automated boolean NOT NULL,
    times integer NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, message_id, kind, link, automated),
    FOREIGN KEY (organization_id, message_id) REFERENCES sends (organization_id, id)
);
SELECT protect_tenant_table('touches');
