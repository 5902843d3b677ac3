"""Copies of the people, contacts and companies that deals name."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.auth import User
from flotilla.events.crm import Company, Contact
from flotilla.store.postgres import Row, Transaction

KEEP_USERS: Final = """
INSERT INTO users (organization_id, id, sequence, role, active)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::boolean[])
ON CONFLICT (organization_id, id) DO UPDATE
SET sequence = excluded.sequence, role = excluded.role, active = excluded.active
WHERE users.sequence < excluded.sequence"""

KEEP_CONTACTS: Final = """
INSERT INTO contacts (organization_id, id, sequence, name, company_id)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[], $5::uuid[])
ON CONFLICT (organization_id, id) DO UPDATE
SET sequence = excluded.sequence, name = excluded.name, company_id = excluded.company_id, gone = false,
    merged_into = NULL
WHERE contacts.sequence < excluded.sequence"""

KEEP_COMPANIES: Final = """
INSERT INTO companies (organization_id, id, sequence, name)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::text[])
ON CONFLICT (organization_id, id) DO UPDATE SET sequence = excluded.sequence, name = excluded.name
WHERE companies.sequence < excluded.sequence"""

# Each is true where nothing was asked for.
KNOWN: Final = """
SELECT $2::uuid IS NULL OR EXISTS (SELECT FROM users WHERE organization_id = $1 AND id = $2 AND active
           AND role IN ('owner', 'admin', 'team_owner', 'team_member')) AS owner_id,
       $3::uuid IS NULL OR EXISTS (SELECT FROM contacts WHERE organization_id = $1 AND id = $3
           AND NOT gone) AS contact_id,
       $4::uuid IS NULL OR EXISTS (SELECT FROM companies WHERE organization_id = $1 AND id = $4) AS company_id"""

# Held, so that a merge of theirs waits and finds the deals that are made here.
HOLD_CONTACTS: Final = """
SELECT FROM contacts c JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, id) ON c.organization_id = t.org AND c.id = t.id
ORDER BY c.organization_id, c.id FOR SHARE OF c"""
CONTACTS: Final = """
WITH RECURSIVE found AS (
    SELECT t.org, t.id AS asked, c.id, c.name, c.company_id, c.gone, c.merged_into, 1 AS hop FROM contacts c
    JOIN unnest($1::uuid[], $2::uuid[]) AS t (org, id) ON c.organization_id = t.org AND c.id = t.id
    UNION ALL
    SELECT f.org, f.asked, c.id, c.name, c.company_id, c.gone, c.merged_into, f.hop + 1
    FROM found f JOIN contacts c ON c.organization_id = f.org AND c.id = f.merged_into WHERE f.hop < 100
)
SELECT DISTINCT ON (org, asked) * FROM found ORDER BY org, asked, hop DESC"""

CUSTOMER_NAME: Final = """
SELECT coalesce((SELECT name FROM companies WHERE organization_id = $1 AND id = $3),
                (SELECT coalesce(c.name, now.name) FROM contacts c
                 LEFT JOIN contacts now ON now.organization_id = c.organization_id AND now.id = c.merged_into
                 WHERE c.organization_id = $1 AND c.id = $2))"""


async def keep_users(tx: Transaction, batch: Sequence[Received[User]]) -> None:
    """Apply the states that are newer."""
    await tx.execute(
        KEEP_USERS,
        [event.org for event in batch],
        [event.data.user_id for event in batch],
        [event.sequence for event in batch],
        [event.data.role for event in batch],
        [event.data.state == "active" for event in batch],
    )


async def keep_contacts(tx: Transaction, batch: Sequence[Received[Contact]]) -> None:
    """Apply the states that are newer."""
    await tx.execute(
        KEEP_CONTACTS,
        [event.org for event in batch],
        [event.data.contact_id for event in batch],
        [event.sequence for event in batch],
        [event.data.name for event in batch],
        [event.data.company_id for event in batch],
    )


async def keep_companies(tx: Transaction, batch: Sequence[Received[Company]]) -> None:
    """Apply the states that are newer."""
    await tx.execute(
        KEEP_COMPANIES,
        [event.org for event in batch],
        [event.data.company_id for event in batch],
        [event.sequence for event in batch],
        [event.data.name for event in batch],
    )


async def unknown(tx: Transaction, org: UUID, given: Mapping[str, UUID | None]) -> list[str]:
    """The fields whose ids name nothing here; `given`: owner_id, contact_id, company_id → id."""
    row = await tx.fetchrow(
        KNOWN, org, given.get("owner_id"), given.get("contact_id"), given.get("company_id")
    )
    assert row is not None
    return [field for field in ("owner_id", "contact_id", "company_id") if not row[field]]


async def contacts(tx: Transaction, wanted: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Row]:
    """Who contacts are now, of (organization, contact): id, name, company_id; of merged ones the one that stayed.

    `gone` says that they were deleted; `merged_into`, that the one that stayed is not known yet.
    """
    orgs, ids = zip(*wanted, strict=True)
    await tx.execute(HOLD_CONTACTS, list(orgs), list(ids))
    rows = await tx.fetch(CONTACTS, list(orgs), list(ids))
    return {(row["org"], row["asked"]): row for row in rows}


async def customer_name(
    tx: Transaction, org: UUID, contact_id: UUID | None, company_id: UUID | None
) -> str | None:
    """Who is charged for a deal: the company, else the person; None where neither has a name."""
    name: str | None = await tx.fetchval(CUSTOMER_NAME, org, contact_id, company_id)
    return name
