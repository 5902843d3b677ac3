ALTER TABLE hook_routes ADD COLUMN checked_at timestamptz NOT NULL DEFAULT now();
COMMENT ON TABLE hook_routes IS
    'exempt: ids and moments only; a webhook names the account and not the organization, and checks go by age';
CREATE INDEX hook_routes_checked_at ON hook_routes (checked_at);
