-- Consent is asked for by the law of the region, without any setting; that an organization counts people whom it has a
-- conversation with as customers of its own is for it to say, with the reason.
ALTER TABLE consent_rules ADD COLUMN known boolean NOT NULL DEFAULT false, ADD COLUMN reason text;
