-- What the archive tells of a person grows old: what is kept for a time is sealed under a key of the person, the kind
-- of data and the week, made of the person's key and this secret. Without the row it cannot be read any more, and all
-- else of the person can. What was archived before goes by the person's own key alone, and so with the person only.
CREATE TABLE person_periods (
    organization_id uuid NOT NULL,
    -- Its time is the end of the week: ids sort by it, and the sweep goes by it. It stands in what is sealed.
    id uuid NOT NULL,
    person text NOT NULL,
    kind text NOT NULL,
    ends_on date NOT NULL,
    secret bytea NOT NULL,
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, person, kind, ends_on),
    FOREIGN KEY (organization_id, person) REFERENCES person_keys (organization_id, person)
);
CREATE INDEX person_periods_age ON person_periods (organization_id, kind, id);
SELECT protect_tenant_table('person_periods');

-- Whoever destroys a person's key, the code of before too, destroys all periods: their keys are made of it. The rows
-- are worth nothing from then on, and go.
CREATE FUNCTION forget_periods() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    DELETE FROM person_periods p USING changed
    WHERE changed.destroyed_at IS NOT NULL
      AND p.organization_id = changed.organization_id AND p.person = changed.person;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_periods AFTER UPDATE ON person_keys
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION forget_periods();
