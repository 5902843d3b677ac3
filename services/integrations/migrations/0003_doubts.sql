ALTER TABLE sends ADD COLUMN doubted boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN sends.doubted IS 'An attempt may have reached the channel, though its answer was lost.';
