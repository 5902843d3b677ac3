-- A token that went by mail reached the invited address; one that the inviter was told may be anybody's by now.
ALTER TABLE invitation_tokens ADD COLUMN mailed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN invitation_tokens.mailed IS 'Whether it stood in a mail to the invited address, and nowhere else.';
