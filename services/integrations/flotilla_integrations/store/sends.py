"""Rows of sends and the lines they stand in. Lines are locked in the order of (organization, id)."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Row, Transaction

Line = tuple[UUID, UUID]
"""Organization and conversation."""

ADD_LINES: Final = """
INSERT INTO send_lines (organization_id, id) SELECT org, id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
ORDER BY org, id ON CONFLICT DO NOTHING"""
LOCK_LINES: Final = """
SELECT l.organization_id, l.id, l.passed FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN send_lines l ON l.organization_id = t.org AND l.id = t.id
ORDER BY l.organization_id, l.id FOR UPDATE OF l"""
MOVE_ON: Final = """
UPDATE send_lines SET passed = greatest(passed, $3) WHERE organization_id = $1 AND id = $2 RETURNING passed"""

# One that was decided before is sent again only where a person may ask for it.
ADD: Final = """
INSERT INTO sends AS s (organization_id, id, conversation_id, account_id, channel, number, chat, text, cause,
                        state, release_at)
SELECT org, id, conversation, account, channel, coalesce(number, 0), chat, text, cause::jsonb,
       'waiting', now() + make_interval(secs => $10)
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::bigint[], $7::text[], $8::text[],
            $9::text[])
     AS t (org, id, conversation, account, channel, number, chat, text, cause)
ORDER BY org, id
ON CONFLICT (organization_id, id) DO UPDATE
SET number = excluded.number, chat = excluded.chat, text = excluded.text, cause = excluded.cause, state = 'waiting',
    release_at = excluded.release_at, decided_at = NULL, external_id = NULL, doubted = false
WHERE s.state IN ('failed', 'unconfirmed')
RETURNING organization_id, id"""

IN_LINE: Final = """
SELECT s.* FROM unnest($1::uuid[], $2::uuid[]) AS t (org, conversation)
JOIN sends s ON s.organization_id = t.org AND s.conversation_id = t.conversation AND s.state IN ('waiting', 'handed')
ORDER BY s.organization_id, s.conversation_id, s.number"""
HAND: Final = """
UPDATE sends s SET state = 'handed' FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
WHERE s.organization_id = t.org AND s.id = t.id"""
DECIDE: Final = """
UPDATE sends SET state = $3, external_id = $4, decided_at = $5, chat = NULL, text = NULL, sequence = sequence + 1
WHERE organization_id = $1 AND id = $2 AND state = 'handed' RETURNING sequence, number"""

DOUBT: Final = "UPDATE sends SET doubted = true WHERE organization_id = $1 AND id = $2"
IS_DOUBTED: Final = "SELECT doubted FROM sends WHERE organization_id = $1 AND id = $2"

KNOWN: Final = """
SELECT s.organization_id, s.id, s.account_id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, id)
JOIN sends s ON s.organization_id = t.org AND s.id = t.id"""


async def lock(tx: Transaction, lines: Sequence[Line]) -> dict[Line, int]:
    """How far each line has passed; locked, and made where there was none."""
    orgs, ids = map(list, zip(*sorted(set(lines)), strict=True))
    await tx.execute(ADD_LINES, orgs, ids)
    return {
        (row["organization_id"], row["id"]): row["passed"] for row in await tx.fetch(LOCK_LINES, orgs, ids)
    }


async def in_line(tx: Transaction, lines: Sequence[Line]) -> dict[Line, list[Row]]:
    """The sends of each line that are not decided, by number."""
    found: dict[Line, list[Row]] = {line: [] for line in lines}
    orgs, ids = map(list, zip(*found, strict=True))
    for row in await tx.fetch(IN_LINE, orgs, ids):
        found[row["organization_id"], row["conversation_id"]].append(row)
    return found
