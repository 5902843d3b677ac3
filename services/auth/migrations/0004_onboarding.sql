-- What others prepare for an organization that begins, and who may not work any more until operators say so.
SELECT make_saga_tables();

-- Organizations that are there have what others made for them when they began.
ALTER TABLE organizations
    ADD COLUMN onboarding text NOT NULL DEFAULT 'done' CHECK (onboarding IN ('running', 'done', 'failed')),
    ADD COLUMN suspended_from text CHECK (suspended_from IN ('trial', 'active')),
    ADD COLUMN suspension_reason text,
    ADD CHECK ((state = 'suspended') = (suspended_from IS NOT NULL)),
    ADD CHECK ((state = 'suspended') = (suspension_reason IS NOT NULL));
COMMENT ON COLUMN organizations.suspended_from IS 'The state that it goes back to.';
