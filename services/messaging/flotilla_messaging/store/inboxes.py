"""Inboxes in Postgres."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
from flotilla.events.messaging import Hours
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_messaging.domain.inboxes import Inbox

_COLUMNS: Final = "id, sequence, name, channels, time_zone, hours, ai_mode, is_default"

ADD: Final = f"""
INSERT INTO inboxes (organization_id, {_COLUMNS})
SELECT org, {_COLUMNS} FROM jsonb_to_recordset($1::jsonb)
    AS t (org uuid, id uuid, sequence bigint, name text, channels text[], time_zone text, hours jsonb, ai_mode text,
          is_default boolean)
ORDER BY org ON CONFLICT DO NOTHING RETURNING organization_id"""  # noqa: S608

DEFAULT: Final = f"""
SELECT {_COLUMNS} FROM inboxes WHERE organization_id = $1 AND is_default FOR UPDATE"""  # noqa: S608

LIST: Final = f"SELECT {_COLUMNS} FROM inboxes"  # noqa: S608

READ: Final = f"SELECT {_COLUMNS} FROM inboxes WHERE organization_id = $1 AND id = $2"  # noqa: S608

SAVE: Final = f"""
UPDATE inboxes SET sequence = sequence + 1, name = $3, channels = $4, time_zone = $5, hours = $6, ai_mode = $7
WHERE organization_id = $1 AND id = $2 RETURNING {_COLUMNS}"""  # noqa: S608

# One that nobody has touched since it was made; what people have set up stays.
REMOVE: Final = """
WITH wanted AS (
    SELECT DISTINCT org, inbox FROM unnest($1::uuid[], $2::uuid[]) AS t (org, inbox)
), gone AS (
    DELETE FROM inboxes i USING wanted
    WHERE i.organization_id = wanted.org AND i.id = wanted.inbox AND i.sequence = 1
    RETURNING i.organization_id, i.id, i.sequence
)
SELECT wanted.org, wanted.inbox, coalesce(gone.sequence, 0) + 1 AS sequence,
       gone.id IS NULL AND EXISTS (
           SELECT FROM inboxes i WHERE i.organization_id = wanted.org AND i.id = wanted.inbox) AS kept
FROM wanted LEFT JOIN gone ON gone.organization_id = wanted.org AND gone.id = wanted.inbox"""


async def add(tx: Transaction, inboxes: Sequence[tuple[UUID, Inbox]]) -> set[UUID]:
    """Write new default inboxes: the organizations that had none yet."""
    rows = [{"org": org, **msgspec.to_builtins(inbox)} for org, inbox in inboxes]
    return {row["organization_id"] for row in await tx.fetch(ADD, msgspec.to_builtins(rows))}


async def default(tx: Transaction, org: UUID) -> Inbox | None:
    """The one that accounts belong to which name none, held until the commit."""
    return _inbox(await tx.fetchrow(DEFAULT, org))


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Inbox]:
    """Inboxes in this order, those after the one with the key `after`."""
    return [_of(row) for row in await order.read(tx, LIST, Where(org), after, limit)]


async def read(tx: Transaction, org: UUID, inbox_id: UUID, *, lock: bool = False) -> Inbox | None:
    """One, held until the commit with `lock`."""
    return _inbox(await tx.fetchrow(READ + " FOR UPDATE" * lock, org, inbox_id))


async def save(tx: Transaction, org: UUID, inbox: Inbox) -> Inbox:
    """Write a changed one: the result has the next sequence."""
    hours = msgspec.to_builtins(inbox.hours)
    row = await tx.fetchrow(
        SAVE, org, inbox.id, inbox.name, inbox.channels, inbox.time_zone, hours, inbox.ai_mode
    )
    assert row is not None
    return _of(row)


async def remove(tx: Transaction, inboxes: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Row]:
    """Remove untouched ones: (organization, inbox) → `sequence` of its end, and whether it is `kept`."""
    rows = await tx.fetch(REMOVE, [org for org, _ in inboxes], [inbox for _, inbox in inboxes])
    return {(row["org"], row["inbox"]): row for row in rows}


def _inbox(row: Row | None) -> Inbox | None:
    return None if row is None else _of(row)


def _of(row: Row) -> Inbox:
    return Inbox(**{**row, "hours": msgspec.convert(row["hours"], list[Hours])})
