-- For how many days at most the organization's plan has it keep what is bounded by plans, and from when on that holds:
-- never sooner than owners were told and given time.
ALTER TABLE retained ADD COLUMN bound_days integer, ADD COLUMN bound_from timestamptz;
