"""Rules tried on the archive."""

from collections.abc import Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Database, Row, Transaction
from flotilla.store.where import Where

from flotilla_automation.domain.backtests import Tally, newest

INSERT: Final = """
INSERT INTO backtests (organization_id, id, trigger, condition, actions, since) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (organization_id) WHERE state = 'reading' DO NOTHING RETURNING id"""
NOTE_ORGANIZATION: Final = "INSERT INTO backtest_organizations (id, organization_id) VALUES ($1, $2)"
ORGANIZATION: Final = "SELECT organization_id FROM backtest_organizations WHERE id = $1"
READ: Final = "SELECT * FROM backtests WHERE organization_id = $1 AND id = $2"
LIST: Final = "SELECT * FROM backtests"
ADVANCE: Final = """
UPDATE backtests SET position = $3, looked = looked + $4, matched = matched + $5, nearly = nearly + $6,
                     unfit = unfit + $7, examples = $8
WHERE organization_id = $1 AND id = $2"""
TARGET: Final = """
UPDATE backtests SET target = $3 WHERE organization_id = $1 AND id = $2 AND state = 'reading'"""
# Whichever comes last, the end of the archive or the word that it is the end.
FINISH: Final = """
UPDATE backtests SET state = 'done', ended_at = now()
WHERE organization_id = $1 AND id = $2 AND state = 'reading' AND position >= target"""
FAIL: Final = """
UPDATE backtests SET state = 'failed', reason = $3, ended_at = now()
WHERE organization_id = $1 AND id = $2 AND state = 'reading'"""


async def add(tx: Transaction, org: UUID, id_: UUID, said: tuple[Any, ...]) -> bool:
    """Write a new one, of trigger, condition, actions and since; false where another is still being read for."""
    if await tx.fetchval(INSERT, org, id_, *said) is None:
        return False
    await tx.execute(NOTE_ORGANIZATION, id_, org)
    return True


async def organization(db: Database, id_: UUID) -> UUID | None:
    """Whose it is; none where it is nobody's of ours."""
    found: UUID | None = await db.fetchval(ORGANIZATION, id_)
    return found


async def read(tx: Transaction, org: UUID, id_: UUID, *, lock: bool = False) -> Row | None:
    """One; held until the commit with `lock`."""
    return await tx.fetchrow(READ + " FOR UPDATE" * lock, org, id_)


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """All in this order, those after the one with the key `after`."""
    return await order.read(tx, LIST, Where(org), after, limit)


async def advance(tx: Transaction, row: Row, upto: int, found: Tally) -> None:
    """Everything up to there has been looked at."""
    key = (row["organization_id"], row["id"])
    examples = newest([*row["examples"], *found.examples])
    counts = (found.looked, found.matched, found.nearly, found.unfit)
    await tx.execute(ADVANCE, *key, upto, *counts, examples)
    await tx.execute(FINISH, *key)


async def ends_at(tx: Transaction, org: UUID, id_: UUID, position: int) -> None:
    """The archive ends there."""
    await tx.execute(TARGET, org, id_, position)
    await tx.execute(FINISH, org, id_)


async def fail(tx: Transaction, org: UUID, id_: UUID, reason: str) -> None:
    """The rest will not be looked at."""
    await tx.execute(FAIL, org, id_, reason)
