-- Whose pages may call the API in a browser, for people of the organization: read into memory by every process.
ALTER TABLE organization_states ADD COLUMN allowed_origins text[] NOT NULL DEFAULT '{}';
CREATE INDEX organization_states_origins ON organization_states (organization_id) WHERE allowed_origins <> '{}';
