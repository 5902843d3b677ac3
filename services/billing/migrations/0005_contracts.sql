-- What was agreed with an organization beside its plan; counts where the plan is one by contract.
CREATE TABLE contract_terms (
    organization_id uuid NOT NULL,
    feature text NOT NULL,
    usage_limit bigint CHECK (usage_limit >= 0),
    PRIMARY KEY (organization_id, feature)
);
COMMENT ON COLUMN contract_terms.usage_limit IS 'Null: as much as it likes.';
SELECT protect_tenant_table('contract_terms');
