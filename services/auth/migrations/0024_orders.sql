-- The orders that lists can be read in beside those there are.
CREATE INDEX users_name ON users (organization_id, left(name, 200), id);
CREATE INDEX teams_name ON teams (organization_id, left(name, 200), id);
CREATE INDEX api_keys_name ON api_keys (organization_id, left(name, 200), id);
CREATE INDEX oauth_clients_name ON oauth_clients (organization_id, left(name, 200), id);
