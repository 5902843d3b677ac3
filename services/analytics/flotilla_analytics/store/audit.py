"""SQL of the verifier: blocks, entries beside the archived rows, and rows that are in no ledger."""

from typing import Final

READ_BLOCKS: Final = """
SELECT position_from, position_to, previous_hash, content, hash FROM blocks
WHERE position_to > $1 ORDER BY position_to LIMIT 100"""

READ_BLOCK_ORGS: Final = "SELECT DISTINCT organization_id FROM ledger WHERE position BETWEEN $1 AND $2"

# What an entry says of its event's type is as good as the event: it decides which folds are shown it.
READ_BLOCK: Final = """
SELECT ledger.position, ledger.event_id, ledger.organization_id, ledger.hash,
       CASE WHEN archive.id IS NULL THEN NULL WHEN ledger.event_type <> archive.type THEN ''::bytea
            ELSE archive_hash(archive) END AS found
FROM ledger LEFT JOIN archive
  ON archive.organization_id = ledger.organization_id AND archive.id = ledger.event_id
WHERE ledger.position BETWEEN $1 AND $2 ORDER BY ledger.position"""

READ_BEYOND: Final = """
SELECT position, event_id FROM ledger
WHERE (position > $1 OR position < 1)
  AND NOT EXISTS (SELECT FROM blocks WHERE ledger.position BETWEEN position_from AND position_to)
ORDER BY position LIMIT 100"""

# From one to the next by the index, however many entries each has.
READ_ORGS: Final = """
WITH RECURSIVE listed AS (
    (SELECT organization_id FROM ledger ORDER BY organization_id LIMIT 1)
    UNION ALL
    SELECT (SELECT ledger.organization_id FROM ledger WHERE ledger.organization_id > listed.organization_id
            ORDER BY ledger.organization_id LIMIT 1)
    FROM listed WHERE listed.organization_id IS NOT NULL)
SELECT organization_id FROM listed WHERE organization_id IS NOT NULL
UNION SELECT organization_id FROM unsealed ORDER BY organization_id"""

# $1 and $2: organization and event behind which to look, $3: the last organization, $4: how many. One row: how far
# this came, null at the end, and the ids of those that are in no ledger.
READ_UNLISTED: Final = """
WITH looked_at AS (
    SELECT organization_id, id FROM archive
    WHERE (organization_id, id) > ($1, $2) AND organization_id <= $3 ORDER BY organization_id, id LIMIT $4)
SELECT last.organization_id, last.id, ARRAY(
    SELECT looked_at.id FROM looked_at
    WHERE NOT EXISTS (SELECT FROM ledger
                      WHERE ledger.event_id = looked_at.id AND ledger.organization_id = looked_at.organization_id)
      AND NOT EXISTS (SELECT FROM unsealed
                      WHERE unsealed.event_id = looked_at.id AND unsealed.organization_id = looked_at.organization_id)
    ORDER BY looked_at.id LIMIT 100) AS unlisted
FROM (SELECT organization_id, id FROM looked_at ORDER BY organization_id DESC, id DESC LIMIT 1) AS last"""
