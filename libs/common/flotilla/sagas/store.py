"""Sagas in a service's own schema: one row each, found and held by the requests they wait for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from flotilla.cause import Cause
from flotilla.sagas.machine import Saga
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

INSERT: Final = """
INSERT INTO sagas (organization_id, id, kind, subject_id, state, reason, steps, context, cause)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, $8::text::jsonb, $9::text::jsonb)"""

REMEMBER_REQUESTS: Final = """
INSERT INTO saga_requests (organization_id, request_id, saga_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[])
ON CONFLICT DO NOTHING"""

# In one order for all processes; whoever holds the row has the saga's latest state.
LOCK_BY_REQUEST: Final = """
SELECT s.*, now() AS now FROM sagas s
WHERE s.kind = $3 AND (s.organization_id, s.id) IN (
    SELECT r.organization_id, r.saga_id FROM saga_requests r
    JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, request) ON r.organization_id = t.org AND r.request_id = t.request)
ORDER BY s.organization_id, s.id FOR UPDATE OF s"""

LOCK: Final = "SELECT *, now() AS now FROM sagas WHERE organization_id = $1 AND id = $2 FOR UPDATE"

LOCK_BY_SUBJECT: Final = """
SELECT *, now() AS now FROM sagas WHERE organization_id = $1 AND subject_id = $2 AND kind = $3
ORDER BY id FOR UPDATE"""

SAVE: Final = """
UPDATE sagas s SET state = t.state, reason = t.reason, steps = t.steps::jsonb, sequence = s.sequence + 1,
    updated_at = now(), ended_at = CASE WHEN t.state IN ('done', 'undone') THEN now() END
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[]) AS t (org, id, state, reason, steps)
WHERE s.organization_id = t.org AND s.id = t.id"""

READ: Final = "SELECT * FROM sagas WHERE organization_id = $1 AND id = $2"

LIST: Final = "SELECT * FROM sagas"


@dataclass(frozen=True)
class Held:
    """A saga whose row this transaction holds."""

    org: UUID
    saga: Saga
    context: Any
    """As JSON gave it."""
    cause: Cause
    """What started it."""
    now: datetime
    """By the database's clock."""


async def now(tx: Transaction) -> datetime:
    """The transaction's time, by the database's clock."""
    found: datetime = await tx.fetchval("SELECT now()")
    return found


async def insert(
    tx: Transaction, org: UUID, kind: str, saga: Saga, context: msgspec.Struct, cause: Cause
) -> None:
    """Write a new saga."""
    await tx.execute(
        INSERT,
        org,
        saga.id,
        kind,
        saga.subject_id,
        saga.state,
        saga.reason,
        _json(saga.steps),
        _json(context),
        _json(cause),
    )


async def remember(tx: Transaction, requests: Sequence[tuple[UUID, UUID, UUID]]) -> None:
    """Know whose requests these are: (organization, request, saga)."""
    if requests:
        orgs, ids, sagas = zip(*requests, strict=True)
        await tx.execute(REMEMBER_REQUESTS, list(orgs), list(ids), list(sagas))


async def lock_by_request(tx: Transaction, kind: str, requests: Sequence[tuple[UUID, UUID]]) -> list[Held]:
    """Hold the sagas of this kind that made these requests: (organization, request)."""
    orgs, ids = zip(*requests, strict=True)
    return [_held(row) for row in await tx.fetch(LOCK_BY_REQUEST, list(orgs), list(ids), kind)]


async def lock(tx: Transaction, org: UUID, saga_id: UUID) -> tuple[str, Held] | None:
    """Hold one saga: its kind and itself."""
    row = await tx.fetchrow(LOCK, org, saga_id)
    return None if row is None else (row["kind"], _held(row))


async def lock_by_subject(tx: Transaction, kind: str, org: UUID, subject_id: UUID) -> list[Held]:
    """Hold the sagas of this kind about one entity, the oldest first."""
    return [_held(row) for row in await tx.fetch(LOCK_BY_SUBJECT, org, subject_id, kind)]


async def save(tx: Transaction, sagas: Sequence[tuple[UUID, Saga]]) -> None:
    """Write the new states of sagas that the transaction holds."""
    if sagas:
        await tx.execute(
            SAVE,
            [org for org, _ in sagas],
            [saga.id for _, saga in sagas],
            [saga.state for _, saga in sagas],
            [saga.reason for _, saga in sagas],
            [_json(saga.steps) for _, saga in sagas],
        )


async def read(tx: Transaction, org: UUID, saga_id: UUID) -> Row | None:
    """One saga."""
    return await tx.fetchrow(READ, org, saga_id)


async def listing(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Row]:
    """Sagas in this order, after a key; `filters`: by `state` and `subject_id`."""
    return await order.read(tx, LIST, Where(org).equal(filters), after, limit)


def _held(row: Row) -> Held:
    saga = msgspec.convert(
        {key: row[key] for key in ("id", "subject_id", "state", "reason", "steps")}, Saga, strict=False
    )
    return Held(
        row["organization_id"], saga, row["context"], msgspec.convert(row["cause"], Cause), row["now"]
    )


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
