-- People are enrolled by others' wishes and by segments; where they are written to may have to be found out.
SELECT make_wish_table();

ALTER TABLE enrolments ALTER COLUMN conversation_id DROP NOT NULL;
CREATE INDEX enrolments_of_contact_ever ON enrolments (organization_id, contact_id);

-- Who enters the segment is enrolled; who leaves it may be stopped.
ALTER TABLE sequences ADD COLUMN segment_id uuid;
ALTER TABLE sequences ADD COLUMN leaves_with_segment boolean NOT NULL DEFAULT false;
CREATE INDEX sequences_of_segment ON sequences (organization_id, segment_id)
    WHERE segment_id IS NOT NULL AND state = 'active';

-- Who is in which segment, as crm says.
CREATE TABLE segment_members (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    segment_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    inside boolean NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);
CREATE INDEX segment_members_inside ON segment_members (organization_id, segment_id, contact_id) WHERE inside;
SELECT protect_tenant_table('segment_members');

-- Why nothing is sent: asked for in a message, entered by somebody, by the link in a message, or consent withdrawn in
-- crm; or it can't reach them.
ALTER TABLE suppressions DROP CONSTRAINT suppressions_reason_check;
ALTER TABLE suppressions ADD CONSTRAINT suppressions_reason_check
    CHECK (reason IN ('replied', 'requested', 'link', 'withdrawn', 'bounced'));
