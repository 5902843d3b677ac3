-- Files that belong to conversations; their bytes lie in the file store under `object`.
CREATE TABLE attachments (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    conversation_id uuid NOT NULL,
    message_id uuid,
    name text NOT NULL,
    state text NOT NULL DEFAULT 'uploading' CHECK (state IN ('uploading', 'stored')),
    object text,
    content_type text,
    size bigint,
    sha256 text,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    sequence bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (organization_id, id),
    FOREIGN KEY (organization_id, conversation_id) REFERENCES conversations (organization_id, id),
    FOREIGN KEY (organization_id, message_id) REFERENCES messages (organization_id, id),
    CHECK ((state = 'stored') = (object IS NOT NULL AND content_type IS NOT NULL AND size IS NOT NULL AND sha256 IS NOT NULL))
);
CREATE INDEX attachments_by_conversation ON attachments (organization_id, conversation_id, id DESC);
CREATE INDEX attachments_by_message ON attachments (organization_id, message_id) WHERE message_id IS NOT NULL;
SELECT protect_tenant_table('attachments');
