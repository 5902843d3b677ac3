-- Saved conditions over contacts, and who fits them: a membership is kept when the contact leaves, so that its
-- sequence goes on.
CREATE TABLE segments (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'deleted')),
    condition jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('segments');

CREATE TABLE segment_members (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    segment_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    inside boolean NOT NULL DEFAULT true,
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, segment_id, contact_id),
    FOREIGN KEY (organization_id, segment_id) REFERENCES segments (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX segment_members_inside ON segment_members (organization_id, segment_id, contact_id) WHERE inside;
CREATE INDEX segment_members_contact ON segment_members (organization_id, contact_id) WHERE inside;
SELECT protect_tenant_table('segment_members');

-- Contacts of which something changed since they were last looked at, written by the database itself, so that
-- nothing that changes them can forget it. Not unique: nobody who changes a contact waits for the one who looks.
CREATE TABLE segment_checks (
    organization_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);
CREATE INDEX segment_checks_organization ON segment_checks (organization_id, position);
COMMENT ON TABLE segment_checks IS 'exempt: ids; one worker looks for all organizations';

-- Segments whose condition is new: everybody is looked at, in the order of ids, up to `after` so far.
CREATE TABLE segment_fills (
    organization_id uuid NOT NULL,
    segment_id uuid NOT NULL,
    after uuid NOT NULL,
    PRIMARY KEY (organization_id, segment_id)
);
COMMENT ON TABLE segment_fills IS 'exempt: ids; one worker looks for all organizations';

CREATE FUNCTION check_segments_of_contacts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO segment_checks (organization_id, contact_id)
    SELECT c.organization_id, c.id FROM touched c
    WHERE EXISTS (SELECT FROM segments s WHERE s.organization_id = c.organization_id);
    RETURN NULL;
END $$;
CREATE FUNCTION check_segments_of_things() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO segment_checks (organization_id, contact_id)
    SELECT DISTINCT t.organization_id, t.contact_id FROM touched t
    WHERE t.contact_id IS NOT NULL AND EXISTS (SELECT FROM segments s WHERE s.organization_id = t.organization_id);
    RETURN NULL;
END $$;
CREATE FUNCTION check_segments_of_companies() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO segment_checks (organization_id, contact_id)
    SELECT c.organization_id, c.id
    FROM touched t JOIN contacts c ON c.organization_id = t.organization_id AND c.company_id = t.id
    WHERE EXISTS (SELECT FROM segments s WHERE s.organization_id = t.organization_id);
    RETURN NULL;
END $$;

CREATE TRIGGER segments_contact_made AFTER INSERT ON contacts REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION check_segments_of_contacts();
CREATE TRIGGER segments_contact_changed AFTER UPDATE ON contacts REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION check_segments_of_contacts();
CREATE TRIGGER segments_contact_gone AFTER DELETE ON contacts REFERENCING OLD TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION check_segments_of_contacts();
CREATE TRIGGER segments_company_changed AFTER UPDATE ON companies REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION check_segments_of_companies();
CREATE TRIGGER segments_consent_made AFTER INSERT ON consents REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION check_segments_of_things();
CREATE TRIGGER segments_consent_changed AFTER UPDATE ON consents REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION check_segments_of_things();
CREATE TRIGGER segments_lead_made AFTER INSERT ON leads REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION check_segments_of_things();
CREATE TRIGGER segments_lead_changed AFTER UPDATE ON leads REFERENCING NEW TABLE AS touched
    FOR EACH STATEMENT EXECUTE FUNCTION check_segments_of_things();
