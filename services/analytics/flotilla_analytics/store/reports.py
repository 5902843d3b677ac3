"""SQL of reports and their runs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

_FIELDS: Final = "name, measure, dimensions, filters, granularity, period, format, schedule, recipients"
_REPORT: Final = f"organization_id, id, sequence, {_FIELDS}, created_by, created_at"
_RUN: Final = (
    "organization_id, id, sequence, report_id, requested_by, state, reason, day_from, day_to, format, rows, size,"
    " requested_at, ended_at, expires_at"
)

INSERT: Final = f"""
INSERT INTO reports (organization_id, id, created_by, {_FIELDS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING {_REPORT}"""  # noqa: S608
UPDATE: Final = f"""
UPDATE reports SET sequence = sequence + 1, ({_FIELDS}) = ($3, $4, $5, $6, $7, $8, $9, $10, $11)
WHERE organization_id = $1 AND id = $2 RETURNING {_REPORT}"""  # noqa: S608
READ: Final = f"SELECT {_REPORT} FROM reports WHERE organization_id = $1 AND id = $2"  # noqa: S608
LIST: Final = f"SELECT {_REPORT} FROM reports"  # noqa: S608
COUNT: Final = "SELECT count(*) FROM reports WHERE organization_id = $1"
DELETE: Final = "DELETE FROM reports WHERE organization_id = $1 AND id = $2"

INSERT_RUN: Final = f"""
INSERT INTO report_runs (organization_id, id, report_id, requested_by, day_from, day_to, format)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING {_RUN}"""  # noqa: S608
READ_RUN: Final = f"""
SELECT {_RUN} FROM report_runs WHERE organization_id = $1 AND id = $2"""  # noqa: S608
LIST_RUNS: Final = f"SELECT {_RUN} FROM report_runs"  # noqa: S608
END_RUN: Final = f"""
UPDATE report_runs SET sequence = sequence + 1, state = $3, reason = $4, rows = $5, size = $6, ended_at = now(),
                       expires_at = now() + $7
WHERE organization_id = $1 AND id = $2 AND state = 'running' RETURNING {_RUN}"""  # noqa: S608
EXPIRE_RUN: Final = """
UPDATE report_runs SET sequence = sequence + 1, state = 'expired'
WHERE organization_id = $1 AND id = $2 AND state = 'ready' AND expires_at <= now() RETURNING id"""
RUNNING: Final = """
SELECT count(*) FROM report_runs WHERE organization_id = $1 AND report_id = $2 AND state = 'running'"""
NOW: Final = "SELECT now()"


async def add(tx: Transaction, org: UUID, report_id: UUID, made_by: UUID, fields: Sequence[Any]) -> Row:
    """Save one; `fields` in the order of the table."""
    return await _one(tx, INSERT, org, report_id, made_by, *fields)


async def save(tx: Transaction, org: UUID, report_id: UUID, fields: Sequence[Any]) -> Row:
    """Save it changed."""
    return await _one(tx, UPDATE, org, report_id, *fields)


async def read(tx: Transaction, org: UUID, report_id: UUID, *, lock: bool = False) -> Row | None:
    """One; held until the commit with `lock`."""
    return await tx.fetchrow(READ + " FOR UPDATE" * lock, org, report_id)


async def listing(
    tx: Transaction, org: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """All in this order (few enough for any), those after the one with the key `after`."""
    return await order.read(tx, LIST, Where(org), after, limit)


async def count(tx: Transaction, org: UUID) -> int:
    """How many there are."""
    return int(await tx.fetchval(COUNT, org))


async def delete(tx: Transaction, org: UUID, report_id: UUID) -> None:
    """Remove it with its runs; their files go when they expire."""
    await tx.execute(DELETE, org, report_id)


async def begin_run(
    tx: Transaction, run_id: UUID, report: Row, days: Sequence[Any], asked_by: UUID | None
) -> Row:
    """A run over the days (from, to)."""
    return await _one(
        tx, INSERT_RUN, report["organization_id"], run_id, report["id"], asked_by, *days, report["format"]
    )


async def read_run(tx: Transaction, org: UUID, run_id: UUID) -> Row | None:
    """One."""
    return await tx.fetchrow(READ_RUN, org, run_id)


async def list_runs(
    tx: Transaction, org: UUID, report_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """A report's, in this order, after the one with the key `after`."""
    return await order.read(tx, LIST_RUNS, Where(org).equal({"report_id": report_id}), after, limit)


async def running(tx: Transaction, org: UUID, report_id: UUID) -> int:
    """How many are under way."""
    return int(await tx.fetchval(RUNNING, org, report_id))


async def ready(
    tx: Transaction, org: UUID, run_id: UUID, rows: int, size: int, kept: timedelta
) -> Row | None:
    """Its file is there; None where the report was deleted meanwhile."""
    return await tx.fetchrow(END_RUN, org, run_id, "ready", None, rows, size, kept)


async def failed(tx: Transaction, org: UUID, run_id: UUID, reason: str) -> Row | None:
    """There will be no file."""
    return await tx.fetchrow(END_RUN, org, run_id, "failed", reason, None, None, None)


async def expire(tx: Transaction, org: UUID, run_id: UUID) -> None:
    """Its file goes."""
    await tx.execute(EXPIRE_RUN, org, run_id)


async def now(tx: Transaction) -> datetime:
    """The database's clock."""
    found: datetime = await tx.fetchval(NOW)
    return found


async def _one(tx: Transaction, sql: str, *args: object) -> Row:
    row = await tx.fetchrow(sql, *args)
    assert row is not None
    return row
