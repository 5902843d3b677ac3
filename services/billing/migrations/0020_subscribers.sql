-- Organizations that have a subscription, and by which plans what they may use is: the hash of the plans' file that they
-- were brought in line with last. Written by the database itself, so that no way to a subscription can forget it.
CREATE TABLE subscribers (
    organization_id uuid PRIMARY KEY,
    edition bytea NOT NULL DEFAULT ''
);
CREATE INDEX subscribers_edition ON subscribers (edition, organization_id);
COMMENT ON TABLE subscribers IS 'exempt: ids and hashes; one worker looks for all organizations';

CREATE FUNCTION note_subscribers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO subscribers (organization_id) SELECT organization_id FROM fresh ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER subscribers_noted AFTER INSERT ON subscriptions REFERENCING NEW TABLE AS fresh
    FOR EACH STATEMENT EXECUTE FUNCTION note_subscribers();

-- Those who are there already: their owner reads all of them, this once.
ALTER TABLE subscriptions NO FORCE ROW LEVEL SECURITY;
INSERT INTO subscribers (organization_id) SELECT organization_id FROM subscriptions;
ALTER TABLE subscriptions FORCE ROW LEVEL SECURITY;
