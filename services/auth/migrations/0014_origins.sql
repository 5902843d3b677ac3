-- Whose pages may call the API in a browser, for people of the organization.
ALTER TABLE organizations ADD COLUMN allowed_origins text[] NOT NULL DEFAULT '{}';
