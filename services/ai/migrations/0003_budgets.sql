-- What billing says of the AI that an organization's plan allows.
CREATE TABLE budgets (
    organization_id uuid NOT NULL,
    feature text NOT NULL,
    sequence bigint NOT NULL,
    used_up boolean NOT NULL,
    period_ends_at timestamptz NOT NULL,
    PRIMARY KEY (organization_id, feature)
);
COMMENT ON COLUMN budgets.used_up IS 'Nothing more may be used until period_ends_at, and it is not charged for beyond.';
SELECT protect_tenant_table('budgets');
