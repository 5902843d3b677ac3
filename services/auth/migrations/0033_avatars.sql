-- Pictures of people, small, drawn by ourselves (256 × 256, WebP), sealed. Any replica reads them.
CREATE TABLE avatars (
    organization_id uuid NOT NULL,
    user_id uuid NOT NULL,
    sealed_picture bytea NOT NULL,
    PRIMARY KEY (organization_id, user_id),
    FOREIGN KEY (organization_id, user_id) REFERENCES users (organization_id, id) ON DELETE CASCADE
);
-- What is sealed cannot be compressed.
ALTER TABLE avatars ALTER COLUMN sealed_picture SET STORAGE EXTERNAL;
SELECT protect_tenant_table('avatars');

-- Which of their states brought it: so lists and events tell of it without looking for a picture.
ALTER TABLE users ADD COLUMN avatar_version bigint;
