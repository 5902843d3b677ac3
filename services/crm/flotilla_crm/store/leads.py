"""Leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from flotilla.events.leads import ScoreReason
from flotilla.store.order import Order
from flotilla.store.postgres import Row, Transaction
from flotilla.store.where import Where

from flotilla_crm.domain.leads import Lead, LeadStatus
from flotilla_crm.domain.scoring import Facts, read_answers

COLUMNS: Final = (
    "l.organization_id, l.id, l.sequence, l.contact_id, l.conversation_id, c.company_id, l.owner_id, l.status,"
    " l.source, l.score, l.reasons, l.deal_id, l.qualified_at, l.converted_at, l.created_at, l.updated_at"
)
_CONTACT: Final = "JOIN contacts c ON c.organization_id = l.organization_id AND c.id = l.contact_id"

INSERT: Final = """
INSERT INTO leads (organization_id, id, contact_id, conversation_id, signals, qualified_at)
SELECT org, id, contact, conversation, signals::jsonb, qualified
FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[], $5::text[], $6::timestamptz[])
     AS t (org, id, contact, conversation, signals, qualified)
ORDER BY org, id ON CONFLICT DO NOTHING"""

READ: Final = f"SELECT {COLUMNS} FROM leads l {_CONTACT} WHERE l.organization_id = $1 AND l.id = $2"  # noqa: S608

UPDATE: Final = f"""
UPDATE leads l SET sequence = l.sequence + 1, updated_at = now(), owner_id = $3, status = $4, source = $5, deal_id = $6,
                   converted_at = CASE WHEN $4 = 'converted' THEN coalesce(l.converted_at, now()) END
FROM contacts c
WHERE l.organization_id = $1 AND l.id = $2 AND c.organization_id = l.organization_id AND c.id = l.contact_id
RETURNING {COLUMNS}"""  # noqa: S608

# With what the rules look at, held in one order for all.
FACTS: Final = f"""
SELECT {COLUMNS}, l.signals, c.name IS NOT NULL AS name, c.email IS NOT NULL AS email, c.phone IS NOT NULL AS phone,
       f.custom_fields -> 'employees' AS employees, latest.at AS last_message_at
FROM leads l
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, id) ON l.organization_id = t.org AND l.id = t.id
{_CONTACT}
LEFT JOIN companies f ON f.organization_id = c.organization_id AND f.id = c.company_id
LEFT JOIN LATERAL (
    SELECT e.at FROM timeline_entries e
    WHERE e.organization_id = l.organization_id AND e.contact_id = l.contact_id
      AND e.kind IN ('message.received', 'message.sent')
    ORDER BY e.at DESC, e.id DESC LIMIT 1) latest ON true
WHERE l.status IN ('new', 'working')
ORDER BY l.organization_id, l.id FOR UPDATE OF l"""  # noqa: S608

SAVE_SCORES: Final = f"""
UPDATE leads l SET sequence = l.sequence + 1, score = t.score, reasons = t.reasons::jsonb
FROM unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[]) AS t (org, id, score, reasons), contacts c
WHERE l.organization_id = t.org AND l.id = t.id AND c.organization_id = l.organization_id AND c.id = l.contact_id
RETURNING {COLUMNS}"""  # noqa: S608

OPEN_OF_CONTACTS: Final = """
SELECT l.organization_id, l.id FROM leads l
JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, contact) ON l.organization_id = t.org AND l.contact_id = t.contact
WHERE l.status IN ('new', 'working')"""

OPEN_OF_COMPANIES: Final = """
SELECT l.organization_id, l.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, company)
JOIN contacts c ON c.organization_id = t.org AND c.company_id = t.company
JOIN leads l ON l.organization_id = c.organization_id AND l.contact_id = c.id
WHERE l.status IN ('new', 'working')"""

OPEN_OF_IDENTITIES: Final = """
SELECT l.organization_id, l.id FROM unnest($1::uuid[], $2::uuid[]) AS t (org, identity)
JOIN channel_identities i ON i.organization_id = t.org AND i.id = t.identity
JOIN leads l ON l.organization_id = i.organization_id AND l.contact_id = i.contact_id
WHERE l.status IN ('new', 'working')"""

OPEN_AFTER: Final = """
SELECT organization_id, id FROM leads
WHERE organization_id = $1 AND id > $2 AND status IN ('new', 'working') ORDER BY id LIMIT $3"""

# Those that were leads when the deal was closed.
CONVERT: Final = f"""
WITH held AS (
    SELECT l.organization_id, l.id, l.status, t.deal, t.at
    FROM leads l
    JOIN unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[]) AS t (org, contact, deal, at)
      ON l.organization_id = t.org AND l.contact_id = t.contact AND l.qualified_at <= t.at
    WHERE l.status <> 'converted' ORDER BY l.organization_id, l.id FOR UPDATE OF l)
UPDATE leads l SET sequence = l.sequence + 1, updated_at = now(), status = 'converted', deal_id = h.deal,
                   converted_at = h.at
FROM held h, contacts c
WHERE l.organization_id = h.organization_id AND l.id = h.id
  AND c.organization_id = l.organization_id AND c.id = l.contact_id
RETURNING {COLUMNS}, h.status AS before"""  # noqa: S608

Key = tuple[UUID, UUID]
"""(organization, id)."""


@dataclass(frozen=True, kw_only=True)
class New:
    """A lead as it begins."""

    org: UUID
    id: UUID
    contact_id: UUID
    conversation_id: UUID
    signals: list[dict[str, object]]
    """Question, score and confidence of each."""
    qualified_at: datetime


@dataclass(frozen=True)
class Rated:
    """An open lead, held, and what the rules look at."""

    org: UUID
    lead: Lead
    facts: Facts


async def add(tx: Transaction, leads: Sequence[New]) -> None:
    """Write new leads."""
    await tx.execute(
        INSERT,
        [each.org for each in leads],
        [each.id for each in leads],
        [each.contact_id for each in leads],
        [each.conversation_id for each in leads],
        [msgspec.json.encode(each.signals).decode() for each in leads],
        [each.qualified_at for each in leads],
    )


async def read(tx: Transaction, org: UUID, lead_id: UUID, *, lock: bool = False) -> Lead | None:
    """The lead, held until the commit with `lock`."""
    row = await tx.fetchrow(READ + " FOR UPDATE OF l" * lock, org, lead_id)
    return None if row is None else lead_of(row)


async def save(tx: Transaction, org: UUID, lead: Lead) -> Lead:
    """Write what people change: the result has the next sequence."""
    row = await tx.fetchrow(UPDATE, org, lead.id, lead.owner_id, lead.status.value, lead.source, lead.deal_id)
    assert row is not None
    return lead_of(row)


async def listing(
    tx: Transaction,
    org: UUID,
    filters: Mapping[str, Any],
    order: Order,
    after: Sequence[object] | None,
    limit: int,
) -> list[Lead]:
    """Those that fit, in this order (of `l`), after the one with the key `after`. `filters`: column → value."""
    where = Where(org, table="l").equal(filters).in_reach("leads", "owner_id")
    select = f"SELECT {COLUMNS} FROM leads l {_CONTACT}"  # noqa: S608
    return [lead_of(row) for row in await order.read(tx, select, where, after, limit)]


async def hold_with_facts(tx: Transaction, keys: Sequence[Key]) -> list[Rated]:
    """Those of these leads that are open, held until the commit."""
    rows = await tx.fetch(FACTS, [org for org, _ in keys], [id_ for _, id_ in keys])
    return [Rated(row["organization_id"], lead_of(row), _facts(row)) for row in rows]


async def save_scores(
    tx: Transaction, scores: Sequence[tuple[UUID, UUID, int, list[ScoreReason]]]
) -> list[tuple[UUID, Lead]]:
    """Write (organization, lead, score, reasons) of leads that the transaction holds: organization and lead."""
    orgs, ids, points, reasons = (list(column) for column in zip(*scores, strict=True))
    encoded = [msgspec.json.encode(each).decode() for each in reasons]
    rows = await tx.fetch(SAVE_SCORES, orgs, ids, points, encoded)
    return [(row["organization_id"], lead_of(row)) for row in rows]


async def open_leads(tx: Transaction, sql: str, keys: Sequence[Key]) -> list[Key]:
    """Found by one of the OPEN_OF_… statements."""
    rows = await tx.fetch(sql, [org for org, _ in keys], [id_ for _, id_ in keys])
    return [(row["organization_id"], row["id"]) for row in rows]


async def open_after(tx: Transaction, org: UUID, after: UUID, limit: int) -> list[Key]:
    """An organization's open leads by id."""
    rows = await tx.fetch(OPEN_AFTER, org, after, limit)
    return [(row["organization_id"], row["id"]) for row in rows]


async def convert(
    tx: Transaction, deals: Sequence[tuple[UUID, UUID, UUID, datetime]]
) -> list[tuple[UUID, Lead, LeadStatus]]:
    """The leads that these convert, and what they were before: (organization, contact, deal, closed at), one deal for
    each contact.
    """
    orgs, contacts, ids, moments = (list(column) for column in zip(*deals, strict=True))
    rows = await tx.fetch(CONVERT, orgs, contacts, ids, moments)
    return [(row["organization_id"], lead_of(row), LeadStatus(row["before"])) for row in rows]


def lead_of(row: Row) -> Lead:
    """A lead of a row that has `COLUMNS`."""
    given = {name: row[name] for name in Lead.__dataclass_fields__}
    given["status"] = LeadStatus(row["status"])
    given["reasons"] = tuple(msgspec.convert(row["reasons"], list[ScoreReason]))
    return Lead(**given)


def _facts(row: Row) -> Facts:
    employees = row["employees"]
    known = {name: row[name] for name in ("name", "email", "phone")}
    return Facts(
        answers=read_answers(row["signals"]),
        known={**known, "company": row["company_id"] is not None},
        last_message_at=row["last_message_at"],
        employees=int(employees) if _is_number(employees) else None,
    )


def _is_number(value: object) -> bool:
    """What people keep in a field of their own may be anything."""
    return isinstance(value, int | float) and not isinstance(value, bool)
