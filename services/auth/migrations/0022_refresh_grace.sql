-- The refresh token that was spent last, and what its next one was made with besides itself.
ALTER TABLE sessions ADD COLUMN spent_hash bytea, ADD COLUMN spent_salt bytea,
    ADD CONSTRAINT sessions_spent CHECK ((spent_hash IS NULL) = (spent_salt IS NULL));
