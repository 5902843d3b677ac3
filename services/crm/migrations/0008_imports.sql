ALTER TABLE contacts DROP CONSTRAINT contacts_source_check;
ALTER TABLE contacts ADD CONSTRAINT contacts_source_check CHECK (source IN ('channel', 'manual', 'api', 'import'));

-- A file of contacts and how far it was read: `position` bytes, with everything before it written.
CREATE TABLE imports (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    sequence bigint NOT NULL DEFAULT 1,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'uploading' CHECK (state IN ('uploading', 'running', 'checked', 'done', 'failed')),
    dry_run boolean NOT NULL DEFAULT true,
    plan jsonb,
    position bigint NOT NULL DEFAULT 0,
    rows_read int NOT NULL DEFAULT 0,
    created int NOT NULL DEFAULT 0,
    updated int NOT NULL DEFAULT 0,
    failed int NOT NULL DEFAULT 0,
    reason text,
    started_by uuid NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (organization_id, id)
);
SELECT protect_tenant_table('imports');

-- The file, in the parts in which it came. Here and not in an object store: a part is written with its import's
-- state, goes with it, and is a tenant's row; pieces of it are read without the rest, for it is stored uncompressed.
CREATE TABLE import_parts (
    organization_id uuid NOT NULL,
    import_id uuid NOT NULL,
    number int NOT NULL CHECK (number BETWEEN 1 AND 512),
    body bytea NOT NULL,
    PRIMARY KEY (organization_id, import_id, number),
    FOREIGN KEY (organization_id, import_id) REFERENCES imports (organization_id, id) ON DELETE CASCADE
);
ALTER TABLE import_parts ALTER COLUMN body SET STORAGE EXTERNAL;
SELECT protect_tenant_table('import_parts');

CREATE TABLE import_errors (
    organization_id uuid NOT NULL,
    import_id uuid NOT NULL,
    row_number int NOT NULL,
    place int NOT NULL,
    field text,
    detail text NOT NULL,
    PRIMARY KEY (organization_id, import_id, row_number, place),
    FOREIGN KEY (organization_id, import_id) REFERENCES imports (organization_id, id) ON DELETE CASCADE
);
SELECT protect_tenant_table('import_errors');
