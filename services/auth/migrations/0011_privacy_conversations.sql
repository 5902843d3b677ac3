ALTER TABLE privacy_requests ADD COLUMN conversation_ids uuid[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN privacy_requests.conversation_ids IS 'In which the person wrote: what is noted about one may speak of them.';
