"""Enrolments, and the ledger of their steps."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_campaign.domain.enrolments import Enrolment, EnrolmentState, Phase, Taken

COLUMNS: Final = """organization_id, id, sequence, sequence_id, version, contact_id, conversation_id, fields, time_zone,
state, reason, step, phase, due_at, replied_at, opened_at, clicked_at, started_at, ended_at, campaign_id"""

NOW: Final = "SELECT now()"
# Whoever is in the sequence already, or was enrolled by the same wish, is left out.
INSERT: Final = """
INSERT INTO enrolments (organization_id, id, sequence_id, version, contact_id, conversation_id, fields, time_zone,
                        campaign_id, state, phase, due_at, started_at)
SELECT organization_id, id, sequence_id, version, contact_id, conversation_id, fields, time_zone, campaign_id,
       'active', 'due', started_at, started_at
FROM jsonb_to_recordset($1) AS t (organization_id uuid, id uuid, sequence_id uuid, version integer, contact_id uuid,
                                  conversation_id uuid, fields jsonb, time_zone text, campaign_id uuid,
                                  started_at timestamptz)
ORDER BY organization_id, sequence_id, contact_id
ON CONFLICT DO NOTHING RETURNING organization_id, id"""
UPDATE: Final = """
UPDATE enrolments AS e SET sequence = e.sequence + 1, fields = t.fields, state = t.state, reason = t.reason,
                           step = t.step, phase = t.phase, due_at = t.due_at, replied_at = t.replied_at,
                           ended_at = t.ended_at, conversation_id = t.conversation_id
FROM jsonb_to_recordset($1) AS t (organization_id uuid, id uuid, fields jsonb, state text, reason text, step integer,
                                  phase text, due_at timestamptz, replied_at timestamptz, ended_at timestamptz,
                                  conversation_id uuid)
WHERE e.organization_id = t.organization_id AND e.id = t.id RETURNING e.*"""
READ: Final = f"SELECT {COLUMNS} FROM enrolments WHERE organization_id = $1 AND id = $2"  # noqa: S608
STANDING: Final = f"""
SELECT {COLUMNS} FROM enrolments
WHERE (organization_id, id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))"""  # noqa: S608
LIST: Final = f"SELECT {COLUMNS} FROM enrolments"  # noqa: S608
LOCK: Final = f"""
SELECT {COLUMNS} FROM enrolments WHERE (organization_id, id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[]))
ORDER BY organization_id, id FOR UPDATE"""  # noqa: S608
ACTIVE_OF_CONTACT: Final = """
SELECT organization_id, id FROM enrolments
WHERE (organization_id, contact_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[])) AND ended_at IS NULL"""
# Whose conversation it is, or who wrote it elsewhere: an answer is one on whichever channel it comes.
ANSWERED_BY: Final = """
SELECT DISTINCT t.message_id, e.organization_id, e.id, e.contact_id, e.ended_at IS NULL AS live
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[]) AS t (org, message_id, conversation_id, contact_id)
JOIN enrolments e ON e.organization_id = t.org
 AND (e.conversation_id = t.conversation_id OR e.contact_id = t.contact_id)"""
IN_SEGMENT_SEQUENCES: Final = """
SELECT e.organization_id, e.id FROM unnest($1::uuid[], $2::uuid[], $3::uuid[]) AS t (org, segment, contact)
JOIN sequences s ON s.organization_id = t.org AND s.segment_id = t.segment AND s.leaves_with_segment
JOIN enrolments e ON e.organization_id = t.org AND e.sequence_id = s.id AND e.contact_id = t.contact
 AND e.ended_at IS NULL"""

# Steps of a paused campaign: they came due and were left where they stood.
HELD_BACK: Final = f"""
SELECT {COLUMNS} FROM enrolments
WHERE organization_id = $1 AND campaign_id = $2 AND ended_at IS NULL AND state = 'active' AND due_at <= now()
ORDER BY id"""  # noqa: S608

ENTER: Final = """
INSERT INTO effects (organization_id, enrolment_id, step, kind, request_id, state, reason, over_at)
SELECT org, id, step, kind, request_id, CASE WHEN request_id IS NULL THEN 'done' ELSE 'asked' END, reason,
       CASE WHEN request_id IS NULL THEN now() END
FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::uuid[], $6::text[])
     AS t (org, id, step, kind, request_id, reason)
ON CONFLICT (organization_id, enrolment_id, step) DO NOTHING RETURNING organization_id, enrolment_id, step"""
END_EFFECTS: Final = """
UPDATE effects AS e SET state = t.state, reason = t.reason, over_at = now()
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS t (org, request_id, state, reason)
WHERE e.organization_id = t.org AND e.request_id = t.request_id AND e.state = 'asked'
RETURNING e.organization_id, e.request_id, e.step"""
EFFECTS: Final = """
SELECT step, kind, request_id, state, reason, begun_at, over_at FROM effects
WHERE organization_id = $1 AND enrolment_id = $2 ORDER BY step"""
ASKED: Final = """
SELECT organization_id, enrolment_id, request_id FROM effects
WHERE (organization_id, request_id) IN (SELECT * FROM unnest($1::uuid[], $2::uuid[])) AND state = 'asked'"""

INSERTED: Final = (
    "organization_id",
    "id",
    "sequence_id",
    "version",
    "contact_id",
    "conversation_id",
    "fields",
    "time_zone",
    "campaign_id",
    "started_at",
)
UPDATED: Final = (
    "organization_id",
    "id",
    "fields",
    "state",
    "reason",
    "step",
    "phase",
    "due_at",
    "replied_at",
    "ended_at",
    "conversation_id",
)
Key = tuple[UUID, UUID]
"""(organization, id)."""
Said = tuple[UUID, UUID, UUID, UUID | None]
"""Organization, message, conversation, and the contact where that is known."""
End = tuple[UUID, UUID, str, str | None]
"""Organization, request, the state that its step ends in, and why."""


async def now(tx: Transaction) -> datetime:
    """When this transaction began, by the database's clock: timers are fired by it too."""
    moment: datetime = await tx.fetchval(NOW)
    return moment


async def add(tx: Transaction, new: Sequence[Enrolment]) -> set[Key]:
    """Write new ones: those that were; the others are in their sequence already."""
    rows = await tx.fetch(INSERT, [{name: getattr(each, name) for name in INSERTED} for each in new])
    return {(row["organization_id"], row["id"]) for row in rows}


async def save_all(tx: Transaction, stand: Sequence[Enrolment]) -> list[Enrolment]:
    """Write how each stands, in the same order: the results have their next `sequence`."""
    rows = await tx.fetch(UPDATE, [{name: getattr(each, name) for name in UPDATED} for each in stand])
    saved = {(row["organization_id"], row["id"]): _enrolment(row) for row in rows}
    return [saved[each.organization_id, each.id] for each in stand]


async def read(tx: Transaction, org: UUID, id_: UUID) -> Enrolment | None:
    """One."""
    row = await tx.fetchrow(READ, org, id_)
    return None if row is None else _enrolment(row)


async def standing(tx: Transaction, keys: Iterable[Key]) -> dict[Key, Enrolment]:
    """Those of these that there are, by (organization, id)."""
    rows = await tx.fetch(STANDING, *_columns(sorted(set(keys))))
    return {(row["organization_id"], row["id"]): _enrolment(row) for row in rows}


async def listing(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Enrolment]:
    """Those that fit, in this order, after the one with the key `after`. `filters`: column → value."""
    rows = await order.read(tx, LIST, Where(org).equal(filters), after, limit)
    return [_enrolment(row) for row in rows]


async def lock(tx: Transaction, keys: Iterable[Key]) -> list[Enrolment]:
    """These, held until the commit, always in one order."""
    return [_enrolment(row) for row in await tx.fetch(LOCK, *_columns(sorted(keys)))]


async def active_of(tx: Transaction, contacts: Sequence[Key]) -> list[Key]:
    """The live ones of these people."""
    rows = await tx.fetch(ACTIVE_OF_CONTACT, *_columns(contacts))
    return [(row["organization_id"], row["id"]) for row in rows]


async def answered_by(tx: Transaction, messages: Sequence[Said]) -> list[Row]:
    """Which there were and are of who wrote these messages, or in whose conversations: by message."""
    columns = [list(column) for column in zip(*messages, strict=True)]
    return await tx.fetch(ANSWERED_BY, *columns)


async def following_segments(tx: Transaction, left: Sequence[tuple[UUID, UUID, UUID]]) -> list[Key]:
    """Live ones that shall stop where their people leave these segments, of (organization, segment, contact)."""
    columns = [list(column) for column in zip(*left, strict=True)]
    rows = await tx.fetch(IN_SEGMENT_SEQUENCES, *columns)
    return [(row["organization_id"], row["id"]) for row in rows]


async def held_back(tx: Transaction, org: UUID, campaign_id: UUID) -> list[Enrolment]:
    """Those of a campaign whose time has come."""
    return [_enrolment(row) for row in await tx.fetch(HELD_BACK, org, campaign_id)]


async def enter(tx: Transaction, steps: Sequence[tuple[Enrolment, Taken]]) -> set[tuple[UUID, UUID, int]]:
    """Enter steps in the ledger: (organization, enrolment, step) of those that did not stand there yet."""
    rows = [
        (each.organization_id, each.id, taken.step, taken.kind, taken.request_id, taken.reason)
        for each, taken in steps
    ]
    entered = await tx.fetch(ENTER, *[list(column) for column in zip(*rows, strict=True)])
    return {(row["organization_id"], row["enrolment_id"], row["step"]) for row in entered}


async def end_effects(tx: Transaction, ends: Sequence[End]) -> dict[Key, int]:
    """Say what came of steps: by (organization, request) the place of each of which that was not said before."""
    rows = await tx.fetch(END_EFFECTS, *[list(column) for column in zip(*ends, strict=True)])
    return {(row["organization_id"], row["request_id"]): row["step"] for row in rows}


async def effects(tx: Transaction, org: UUID, id_: UUID) -> list[Row]:
    """What it did, step by step."""
    return await tx.fetch(EFFECTS, org, id_)


async def asked(tx: Transaction, requests: Iterable[Key]) -> dict[Key, UUID]:
    """Enrolments whose wishes are still to be answered, by (organization, request)."""
    rows = await tx.fetch(ASKED, *_columns(sorted(requests)))
    return {(row["organization_id"], row["request_id"]): row["enrolment_id"] for row in rows}


def _columns(keys: Sequence[Key]) -> tuple[list[UUID], list[UUID]]:
    return [org for org, _ in keys], [id_ for _, id_ in keys]


def _enrolment(row: Row) -> Enrolment:
    values = {each.name: row[each.name] for each in fields(Enrolment)}
    states = {"state": EnrolmentState(row["state"]), "phase": Phase(row["phase"])}
    return Enrolment(**{**values, **states})
