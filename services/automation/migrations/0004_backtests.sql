-- Rules tried on the archive: what they say, how far the archive was read for them, and what was found. Swept after
-- some days. The texts that actions would have had are not kept: they may be personal.
CREATE TABLE backtests (
    organization_id uuid NOT NULL,
    id uuid NOT NULL,
    trigger text NOT NULL,
    condition jsonb,
    actions jsonb NOT NULL,
    since timestamptz,
    state text NOT NULL DEFAULT 'reading' CHECK (state IN ('reading', 'done', 'failed')),
    reason text,
    position bigint NOT NULL DEFAULT 0,
    target bigint,
    looked integer NOT NULL DEFAULT 0,
    matched integer NOT NULL DEFAULT 0,
    nearly integer NOT NULL DEFAULT 0,
    unfit integer NOT NULL DEFAULT 0,
    examples jsonb NOT NULL DEFAULT '[]',
    begun_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    PRIMARY KEY (organization_id, id)
);
COMMENT ON COLUMN backtests.position IS 'Of the archive: everything up to it has been looked at.';
COMMENT ON COLUMN backtests.target IS 'Where the archive ends; null until it has said so.';
-- One at a time.
CREATE UNIQUE INDEX backtests_reading ON backtests (organization_id) WHERE state = 'reading';
CREATE INDEX backtests_begun ON backtests (organization_id, begun_at);
SELECT protect_tenant_table('backtests');

CREATE TABLE backtest_organizations (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL
);
COMMENT ON TABLE backtest_organizations IS 'exempt: ids; whose backtest a stretch of the archive is for';
