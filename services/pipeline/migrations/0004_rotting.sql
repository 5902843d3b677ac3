-- After so many days without a change a deal that stands in the stage is said to rot; null: it may stand there.
ALTER TABLE stages ADD COLUMN rots_after_days int CHECK (rots_after_days BETWEEN 1 AND 365);
ALTER TABLE stages ADD CHECK (rots_after_days IS NULL OR kind = 'open');

ALTER TABLE deals ADD COLUMN touched_at timestamptz NOT NULL DEFAULT now(), ADD COLUMN rotted_at timestamptz;
COMMENT ON COLUMN deals.touched_at IS 'When something that its events tell of was last done with it.';
COMMENT ON COLUMN deals.rotted_at IS 'When it was said to rot; null again once something is done with it.';
CREATE INDEX deals_fresh ON deals (organization_id, stage_id, touched_at) WHERE state = 'open' AND rotted_at IS NULL;
