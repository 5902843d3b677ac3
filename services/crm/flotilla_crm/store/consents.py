"""Consents: what was said, and how it stands."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_crm.domain.consents import Consent

_SAID: Final = "contact_id, channel, purpose, state, legal_basis, source, evidence, actor, said_at"
COLUMNS: Final = f"id, sequence, {_SAID}, recorded_at"
_OF_CONSENT: Final = ", ".join(f"consents.{column}" for column in COLUMNS.split(", "))

RECORD: Final = f"""
INSERT INTO consent_records (organization_id, id, {_SAID}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"""  # noqa: S608
# What was said earlier and comes later is kept as a record and changes nothing.
APPLY: Final = f"""
INSERT INTO consents (organization_id, id, {_SAID}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (organization_id, contact_id, purpose, channel) DO UPDATE
SET sequence = consents.sequence + 1, state = excluded.state, legal_basis = excluded.legal_basis,
    source = excluded.source, evidence = excluded.evidence, actor = excluded.actor, said_at = excluded.said_at,
    recorded_at = now()
WHERE consents.said_at <= excluded.said_at
RETURNING {_OF_CONSENT}"""  # noqa: S608
READ: Final = f"""
SELECT {COLUMNS} FROM consents
WHERE organization_id = $1 AND contact_id = $2 AND purpose = $3 AND channel = $4"""  # noqa: S608
LIST: Final = f"""
SELECT {COLUMNS} FROM consents WHERE organization_id = $1 AND contact_id = $2 ORDER BY purpose, channel"""  # noqa: S608
RECORDS: Final = f"SELECT id, {_SAID}, recorded_at FROM consent_records"  # noqa: S608

# What only the one that goes had said is the other's; where they differ, the stricter holds.
MOVE_RECORDS: Final = """
WITH moved AS (
    UPDATE consent_records SET contact_id = $3 WHERE organization_id = $1 AND contact_id = $2 RETURNING id
)
INSERT INTO contact_merge_moves (organization_id, merge_id, kind, id) SELECT $1, $4, 'consent_records', id FROM moved"""
MOVE: Final = f"""
WITH moved AS (
    UPDATE consents SET sequence = sequence + 1, contact_id = $3
    WHERE organization_id = $1 AND contact_id = $2
      AND NOT EXISTS (SELECT FROM consents w WHERE w.organization_id = $1 AND w.contact_id = $3
                      AND w.purpose = consents.purpose AND w.channel = consents.channel)
    RETURNING {COLUMNS}
), kept AS (
    INSERT INTO contact_merge_moves (organization_id, merge_id, kind, id) SELECT $1, $4, 'consents', id FROM moved
)
SELECT * FROM moved"""  # noqa: S608
RESTRICT: Final = f"""
UPDATE consents SET sequence = consents.sequence + 1, state = l.state, legal_basis = l.legal_basis, source = 'merge',
                    evidence = l.evidence, actor = l.actor, said_at = greatest(consents.said_at, l.said_at),
                    recorded_at = now()
FROM consents l
WHERE l.organization_id = $1 AND l.contact_id = $2 AND l.state = 'withdrawn'
  AND consents.organization_id = $1 AND consents.contact_id = $3 AND consents.purpose = l.purpose
  AND consents.channel = l.channel AND consents.state = 'granted'
RETURNING {_OF_CONSENT}"""  # noqa: S608

MOVE_RECORDS_BACK: Final = """
UPDATE consent_records SET contact_id = $2 FROM contact_merge_moves m
WHERE m.organization_id = $1 AND m.merge_id = $4 AND m.kind = 'consent_records'
  AND consent_records.organization_id = $1 AND consent_records.id = m.id AND consent_records.contact_id = $3"""
MOVE_BACK: Final = f"""
UPDATE consents SET sequence = sequence + 1, contact_id = $2 FROM contact_merge_moves m
WHERE m.organization_id = $1 AND m.merge_id = $4 AND m.kind = 'consents'
  AND consents.organization_id = $1 AND consents.id = m.id AND consents.contact_id = $3
RETURNING {_OF_CONSENT}"""  # noqa: S608
# Where both had said something, what the one had said is still in its records.
UNSTATED: Final = f"""
SELECT DISTINCT ON (purpose, channel) {_SAID} FROM consent_records r
WHERE organization_id = $1 AND contact_id = $2
  AND NOT EXISTS (SELECT FROM consents c WHERE c.organization_id = $1 AND c.contact_id = $2
                  AND c.purpose = r.purpose AND c.channel = r.channel)
ORDER BY purpose, channel, said_at DESC, id DESC"""  # noqa: S608


async def say(
    tx: Transaction, org: UUID, contact_id: UUID, said: Mapping[str, Any]
) -> tuple[Consent | None, Consent]:
    """Record what was said: how it stood and how it stands. `said`: the columns of a record."""
    row = await tx.fetchrow(READ, org, contact_id, said["purpose"], said["channel"])
    columns = _SAID.split(", ")
    values = [{**said, "contact_id": contact_id}[column] for column in columns]
    await tx.execute(RECORD, org, tx.app.new_id(), *values)
    before = None if row is None else Consent(**row)
    applied = await tx.fetchrow(APPLY, org, tx.app.new_id(), *values)
    after = before if applied is None else Consent(**applied)
    assert after is not None
    return before, after


async def listing(tx: Transaction, org: UUID, contact_id: UUID) -> list[Consent]:
    """How everything stands."""
    return [Consent(**row) for row in await tx.fetch(LIST, org, contact_id)]


async def records(
    tx: Transaction, org: UUID, contact_id: UUID, order: Order, after: Sequence[object] | None, limit: int
) -> list[Row]:
    """What was said, in this order, after the one with the key `after`."""
    where = Where(org).equal({"contact_id": contact_id})
    return await order.read(tx, RECORDS, where, after, limit)


async def move(tx: Transaction, org: UUID, loser: UUID, winner: UUID, merge_id: UUID) -> list[Consent]:
    """Give one contact's consents to another: those of the other that are new or stricter now."""
    stricter = await tx.fetch(RESTRICT, org, loser, winner)
    moved = await tx.fetch(MOVE, org, loser, winner, merge_id)
    await tx.execute(MOVE_RECORDS, org, loser, winner, merge_id)
    return _consents([*stricter, *moved])


async def move_back(tx: Transaction, org: UUID, loser: UUID, winner: UUID, merge_id: UUID) -> list[Consent]:
    """Give back what a merge moved: the consents of the one that is there again. What became stricter stays so."""
    await tx.execute(MOVE_RECORDS_BACK, org, loser, winner, merge_id)
    back = await tx.fetch(MOVE_BACK, org, loser, winner, merge_id)
    said = [tuple(row.values()) for row in await tx.fetch(UNSTATED, org, loser)]
    anew = [await tx.fetchrow(APPLY, org, tx.app.new_id(), *values) for values in said]
    return _consents([*back, *(row for row in anew if row is not None)])


def _consents(rows: Sequence[Row]) -> list[Consent]:
    return [Consent(**row) for row in rows]
