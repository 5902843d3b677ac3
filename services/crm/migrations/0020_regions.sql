-- Contacts whose telephone number is new, written by the database itself. Not unique: nobody who changes a contact waits
-- for the one who looks.
CREATE TABLE region_checks (
    organization_id uuid NOT NULL,
    contact_id uuid NOT NULL,
    had_one boolean NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY
);
CREATE INDEX region_checks_organization ON region_checks (organization_id, position);
COMMENT ON TABLE region_checks IS 'exempt: ids; one worker looks for all organizations';
COMMENT ON COLUMN region_checks.had_one IS 'Whether there was another number before.';

CREATE FUNCTION check_regions_of_new() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO region_checks (organization_id, contact_id, had_one)
    SELECT n.organization_id, n.id, false FROM fresh n WHERE n.phone IS NOT NULL;
    RETURN NULL;
END $$;
CREATE FUNCTION check_regions_of_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO region_checks (organization_id, contact_id, had_one)
    SELECT n.organization_id, n.id, o.phone IS NOT NULL
    FROM fresh n JOIN stale o ON o.organization_id = n.organization_id AND o.id = n.id
    WHERE n.phone IS DISTINCT FROM o.phone;
    RETURN NULL;
END $$;
CREATE TRIGGER regions_contact_made AFTER INSERT ON contacts REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION check_regions_of_new();
CREATE TRIGGER regions_contact_changed AFTER UPDATE ON contacts REFERENCING NEW TABLE AS fresh OLD TABLE AS stale
    FOR EACH STATEMENT EXECUTE FUNCTION check_regions_of_changed();

-- Those who were there before: the owner may read all contacts (0001_crm.sql).
INSERT INTO region_checks (organization_id, contact_id, had_one)
SELECT organization_id, id, false FROM contacts WHERE phone IS NOT NULL;
