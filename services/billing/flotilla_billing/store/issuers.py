"""Who issues invoices and who is sent them: organizations, their settings, companies."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from flotilla.bus.envelope import Received
from flotilla.events.auth import Organization
from flotilla.store.postgres import Row, Transaction

KEEP_ORGANIZATIONS: Final = """
INSERT INTO organizations (organization_id, name, locale, time_zone, currency, sequence)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bigint[])
ON CONFLICT (organization_id) DO UPDATE
SET name = excluded.name, locale = excluded.locale, time_zone = excluded.time_zone, currency = excluded.currency,
    sequence = excluded.sequence
WHERE organizations.sequence < excluded.sequence"""

KEEP_COMPANIES: Final = """
INSERT INTO companies (organization_id, id, name, sequence)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[])
ON CONFLICT (organization_id, id) DO UPDATE SET name = excluded.name, sequence = excluded.sequence
WHERE companies.sequence < excluded.sequence"""

# One row for each organization asked for, known or not.
ISSUERS: Final = """
SELECT asked.org AS organization_id, coalesce(s.legal_name, o.name, '') AS legal_name,
       coalesce(s.address, '') AS address,
       coalesce(s.tax_id, '') AS tax_id, coalesce(s.email, '') AS email, coalesce(s.series, 'INV') AS series,
       coalesce(s.due_in_days, 14) AS due_in_days, coalesce(s.tax_rate, 0) AS tax_rate, coalesce(s.note, '') AS note,
       coalesce(o.time_zone, 'UTC') AS time_zone, coalesce(o.locale, 'en') AS locale,
       coalesce(s.sequence, 0) AS sequence
FROM unnest($1::uuid[]) AS asked (org)
LEFT JOIN organizations o ON o.organization_id = asked.org
LEFT JOIN invoice_settings s ON s.organization_id = asked.org"""

SAVE_SETTINGS: Final = """
INSERT INTO invoice_settings (organization_id, legal_name, address, tax_id, email, series, due_in_days, tax_rate, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (organization_id) DO UPDATE
SET legal_name = excluded.legal_name, address = excluded.address, tax_id = excluded.tax_id, email = excluded.email,
    series = excluded.series, due_in_days = excluded.due_in_days, tax_rate = excluded.tax_rate, note = excluded.note,
    sequence = invoice_settings.sequence + 1"""

COMPANIES: Final = """
SELECT c.organization_id, c.id, c.name FROM companies c
JOIN unnest($1::uuid[], $2::uuid[]) AS asked (org, id) ON c.organization_id = asked.org AND c.id = asked.id"""


async def keep_organizations(tx: Transaction, batch: Sequence[Received[Organization]]) -> None:
    """Keep what is newer."""
    await tx.execute(
        KEEP_ORGANIZATIONS,
        [event.org for event in batch],
        [event.data.name for event in batch],
        [event.data.locale for event in batch],
        [event.data.time_zone for event in batch],
        [event.data.currency for event in batch],
        [event.sequence for event in batch],
    )


async def keep_companies(tx: Transaction, companies: Sequence[tuple[UUID, UUID, str, int]]) -> None:
    """Keep what is newer of (organization, id, name, sequence)."""
    columns = [list(column) for column in zip(*companies, strict=True)]
    await tx.execute(KEEP_COMPANIES, *columns)


async def issuers(tx: Transaction, orgs: Sequence[UUID]) -> dict[UUID, Row]:
    """How each of these organizations issues its invoices."""
    return {row["organization_id"]: row for row in await tx.fetch(ISSUERS, list(orgs))}


async def companies(tx: Transaction, asked: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], str]:
    """The names of those of these (organization, id) that are known."""
    rows = await tx.fetch(COMPANIES, [org for org, _ in asked], [id_ for _, id_ in asked])
    return {(row["organization_id"], row["id"]): row["name"] for row in rows}


async def save_settings(tx: Transaction, org: UUID, settings: Mapping[str, Any]) -> None:
    """Write how an organization issues its invoices."""
    names = ("legal_name", "address", "tax_id", "email", "series", "due_in_days", "tax_rate", "note")
    await tx.execute(SAVE_SETTINGS, org, *(settings[name] for name in names))
