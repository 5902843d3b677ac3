-- The company's domain, as its owner states it. Unproven, so it is neither unique nor looked up by.
ALTER TABLE organizations ADD COLUMN domain text;
