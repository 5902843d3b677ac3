-- An organization that is called otherwise keeps the names that it had: what was meant for it reaches nobody else.
CREATE INDEX slugs_organization ON slugs (organization_id);
