-- What an organization's plan has it keep at most, and from when on; by which word of billing's.
ALTER TABLE retention ADD COLUMN bound_days integer, ADD COLUMN bound_from timestamptz,
    ADD COLUMN bound_sequence bigint NOT NULL DEFAULT 0;
