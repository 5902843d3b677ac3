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

READ_ORGS: Final = """
SELECT organization_id FROM ledger UNION SELECT organization_id FROM unsealed ORDER BY organization_id"""

# Names its organizations itself: the policy alone is answered by no index, and would have all read for each few.
READ_UNLISTED: Final = """
SELECT id FROM archive
WHERE organization_id = ANY ($1) AND NOT EXISTS (SELECT FROM ledger
                  WHERE ledger.event_id = archive.id AND ledger.organization_id = archive.organization_id)
  AND NOT EXISTS (SELECT FROM unsealed
                  WHERE unsealed.event_id = archive.id AND unsealed.organization_id = archive.organization_id)
ORDER BY id LIMIT 100"""
