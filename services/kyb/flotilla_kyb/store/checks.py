"""Checks, what each register said in them, the raw answers, and the snapshots they came to."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_kyb.domain.counterparty import Result
from flotilla_kyb.sources.base import Exchange

CHECK_COLUMNS: Final = (
    "id, sequence, counterparty_id, reason, state, asked, actor, started_at, deadline_at, ended_at"
)
SNAPSHOT_COLUMNS: Final = (
    "id, sequence, counterparty_id, check_id, taken_at, state, risk_score, risk_level, reasons, sources, fields,"
    " changed"
)

NOW: Final = "SELECT now()"

START: Final = f"""
INSERT INTO checks (organization_id, id, counterparty_id, reason, asked, actor, deadline_at)
VALUES ($1, $2, $3, $4, $5, $6, now() + $7) RETURNING {CHECK_COLUMNS}"""  # noqa: S608
AWAIT: Final = """
INSERT INTO check_results (organization_id, check_id, source) SELECT $1, $2, unnest($3::text[])"""
RUNNING: Final = f"""
SELECT {CHECK_COLUMNS} FROM checks
WHERE organization_id = $1 AND counterparty_id = $2 AND state = 'running'"""  # noqa: S608
IS_RUNNING: Final = """
SELECT TRUE FROM checks c JOIN check_results r ON r.organization_id = c.organization_id AND r.check_id = c.id
WHERE c.organization_id = $1 AND c.id = $2 AND c.state = 'running' AND r.source = $3 AND r.ended_at IS NULL"""
END: Final = """
UPDATE checks SET sequence = sequence + 1, state = $3, ended_at = now()
WHERE organization_id = $1 AND id = $2 AND state = 'running'"""
READ: Final = f"""
SELECT {CHECK_COLUMNS} FROM checks WHERE organization_id = $1 AND counterparty_id = $2 AND id = $3"""  # noqa: S608
LIST: Final = f"SELECT {CHECK_COLUMNS} FROM checks"  # noqa: S608

RESULT: Final = """
UPDATE check_results SET verdict = $4, reason = $5, fields = $6, ended_at = now()
WHERE organization_id = $1 AND check_id = $2 AND source = $3 AND ended_at IS NULL"""
REMARK: Final = """
UPDATE check_results SET reason = $4
WHERE organization_id = $1 AND check_id = $2 AND source = $3 AND ended_at IS NULL"""
GIVE_UP: Final = """
UPDATE check_results SET verdict = 'unverified', reason = coalesce(reason, $3), ended_at = now()
WHERE organization_id = $1 AND check_id = $2 AND ended_at IS NULL"""
RESULTS: Final = """
SELECT source, verdict, reason, fields, ended_at FROM check_results
WHERE organization_id = $1 AND check_id = $2 ORDER BY source"""

ADD_EVIDENCE: Final = """
INSERT INTO evidence (organization_id, id, check_id, source, request, status, media_type, body, sha256, fetched_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"""
EVIDENCE: Final = """
SELECT id, source, request, status, media_type, body, sha256, fetched_at FROM evidence
WHERE organization_id = $1 AND check_id = $2 ORDER BY fetched_at, id"""

ADD_SNAPSHOT: Final = """
INSERT INTO snapshots (organization_id, id, counterparty_id, check_id, state, risk_score, risk_level, reasons, sources,
                       fields, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""
LIST_SNAPSHOTS: Final = f"SELECT {SNAPSHOT_COLUMNS} FROM snapshots"  # noqa: S608
READ_SNAPSHOT: Final = f"""
SELECT {SNAPSHOT_COLUMNS} FROM snapshots
WHERE organization_id = $1 AND counterparty_id = $2 AND id = $3"""  # noqa: S608


@dataclass(frozen=True, kw_only=True)
class Check:
    """One round of questions about a counterparty."""

    id: UUID
    sequence: int
    counterparty_id: UUID
    reason: str
    state: str
    asked: dict[str, Any]
    actor: str | None
    started_at: datetime
    deadline_at: datetime
    ended_at: datetime | None


async def one(tx: Transaction, sql: str, *args: object) -> Check | None:
    """The check that a statement of this file finds."""
    row = await tx.fetchrow(sql, *args)
    return None if row is None else Check(**dict(row))


async def list_checks(
    tx: Transaction,
    org: UUID,
    counterparty_id: UUID,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Check]:
    """A counterparty's, in this order, after the one with the key `after`."""
    where = Where(org).equal({"counterparty_id": counterparty_id})
    return [Check(**dict(row)) for row in await order.read(tx, LIST, where, after, limit)]


async def end_result(tx: Transaction, org: UUID, check_id: UUID, result: Result) -> None:
    """Write what a register said."""
    await tx.execute(RESULT, org, check_id, result.source, result.verdict, result.reason, dict(result.fields))


async def results(tx: Transaction, org: UUID, check_id: UUID) -> tuple[list[Result], list[str]]:
    """What registers have said, and those that are still waited for."""
    rows = await tx.fetch(RESULTS, org, check_id)
    said = [
        Result(source=row["source"], verdict=row["verdict"], reason=row["reason"], fields=row["fields"])
        for row in rows
        if row["ended_at"] is not None
    ]
    return said, [row["source"] for row in rows if row["ended_at"] is None]


async def keep_evidence(
    tx: Transaction, org: UUID, check_id: UUID, source: str, exchanges: Sequence[Exchange]
) -> None:
    """Keep raw answers with their hashes."""
    for exchange in exchanges:
        await tx.execute(
            ADD_EVIDENCE,
            org,
            tx.app.new_id(),
            check_id,
            source,
            exchange.request,
            exchange.status,
            exchange.media_type,
            exchange.body,
            hashlib.sha256(exchange.body).digest(),
            exchange.fetched_at,
        )


async def list_snapshots(
    tx: Transaction,
    org: UUID,
    counterparty_id: UUID,
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """A counterparty's, in this order, after the one with the key `after`."""
    where = Where(org).equal({"counterparty_id": counterparty_id})
    return await order.read(tx, LIST_SNAPSHOTS, where, after, limit)
