-- What auth says of each organization, as far as its invoices and periods need it.
CREATE TABLE organizations (
    organization_id uuid PRIMARY KEY,
    name text NOT NULL,
    locale text NOT NULL,
    time_zone text NOT NULL,
    currency text NOT NULL,
    sequence bigint NOT NULL
);
SELECT protect_tenant_table('organizations');

-- How an organization issues its invoices; where there is none, defaults and its name apply.
CREATE TABLE invoice_settings (
    organization_id uuid PRIMARY KEY,
    legal_name text NOT NULL,
    address text NOT NULL,
    tax_id text NOT NULL,
    email text NOT NULL,
    series text NOT NULL,
    due_in_days int NOT NULL CHECK (due_in_days >= 0),
    tax_rate numeric NOT NULL CHECK (tax_rate BETWEEN 0 AND 100),
    note text NOT NULL,
    sequence bigint NOT NULL DEFAULT 1
);
SELECT protect_tenant_table('invoice_settings');

-- Companies of crm's: a wish for an invoice may name one by its id alone.
CREATE TABLE companies (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    name text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('companies');

CREATE TABLE number_series (
    organization_id uuid NOT NULL,
    series text NOT NULL,
    year int NOT NULL,
    last bigint NOT NULL,
    PRIMARY KEY (organization_id, series, year)
);
COMMENT ON TABLE number_series IS
    'The last number given; the row is locked by the transaction that issues, so a rollback gives its number back.';
SELECT protect_tenant_table('number_series');

CREATE TABLE invoices (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    state text NOT NULL CHECK (state IN ('draft', 'issued', 'partly_paid', 'paid', 'void')),
    series text NOT NULL,
    year int,
    number bigint,
    request_id uuid,
    contact_id uuid,
    company_id uuid,
    deal_id uuid,
    customer jsonb NOT NULL,
    issuer jsonb NOT NULL,
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    lines jsonb NOT NULL,
    total_minor bigint NOT NULL CHECK (total_minor > 0),
    paid_minor bigint NOT NULL DEFAULT 0 CHECK (paid_minor BETWEEN 0 AND total_minor),
    note text NOT NULL,
    locale text NOT NULL,
    due_in_days int NOT NULL,
    issued_on date,
    due_on date,
    issued_at timestamptz,
    void_reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    UNIQUE (organization_id, series, year, number),
    CHECK ((number IS NULL) = (issued_at IS NULL)),
    CHECK (number IS NOT NULL OR state IN ('draft', 'void'))
);
CREATE INDEX invoices_newest ON invoices (organization_id, id DESC);
CREATE INDEX invoices_by_state ON invoices (organization_id, state, id DESC);
CREATE INDEX invoices_of_contact ON invoices (organization_id, contact_id, id DESC) WHERE contact_id IS NOT NULL;
CREATE INDEX invoices_of_company ON invoices (organization_id, company_id, id DESC) WHERE company_id IS NOT NULL;
CREATE INDEX invoices_of_deal ON invoices (organization_id, deal_id, id DESC) WHERE deal_id IS NOT NULL;
SELECT protect_tenant_table('invoices');

-- Wishes for invoices, by their request's id: answered once. One taken back before it came stands as `cancelled`.
CREATE TABLE invoice_requests (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('issued', 'failed', 'cancelled')),
    reason text,
    deal_id uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('invoice_requests');

CREATE TABLE payments (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    invoice_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('succeeded', 'failed', 'refunded')),
    amount_minor bigint NOT NULL CHECK (amount_minor > 0),
    currency text NOT NULL,
    method text NOT NULL CHECK (method IN ('manual', 'stripe')),
    reference text NOT NULL,
    reason text NOT NULL,
    occurred_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, invoice_id) REFERENCES invoices (organization_id, id)
);
CREATE INDEX payments_of_invoice ON payments (organization_id, invoice_id, id);
SELECT protect_tenant_table('payments');
