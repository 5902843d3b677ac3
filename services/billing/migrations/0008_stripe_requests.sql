-- What people ask of Stripe about their subscription: done by a job, read by its id.
CREATE TABLE stripe_requests (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    kind text NOT NULL CHECK (kind IN ('preview', 'change', 'portal', 'tax_id')),
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'done', 'failed')),
    result jsonb,
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('stripe_requests');
