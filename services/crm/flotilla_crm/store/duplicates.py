"""Contacts that may be one person."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

from flotilla.store.postgres import Transaction

from flotilla_crm.domain.contacts import Contact
from flotilla_crm.domain.duplicates import Duplicate, weigh
from flotilla_crm.store.contacts import CONTACT_COLUMNS

PAIRS: Final = """
SELECT one, other, likeness FROM duplicate_pairs($1, $2, $3) ORDER BY one, other"""
CONTACTS: Final = f"""
SELECT {CONTACT_COLUMNS} FROM contacts WHERE organization_id = $1 AND id = ANY ($2::uuid[])"""  # noqa: S608
NEXT: Final = "SELECT id FROM contacts WHERE organization_id = $1 AND id > $2 ORDER BY id LIMIT $3"


async def next_contacts(tx: Transaction, org: UUID, after: UUID, limit: int) -> list[UUID]:
    """Contacts in the order of ids."""
    return [row["id"] for row in await tx.fetch(NEXT, org, after, limit)]


async def among(
    tx: Transaction, org: UUID, subjects: Sequence[UUID], *, after_own: bool = True
) -> list[Duplicate]:
    """Whom these contacts may be; with `after_own` each pair once, under the one that was made first."""
    pairs = await tx.fetch(PAIRS, org, list(subjects), after_own)
    ids = {id_ for pair in pairs for id_ in (pair["one"], pair["other"])}
    rows = await tx.fetch(CONTACTS, org, list(ids)) if ids else []
    contacts = {row["id"]: Contact(**row) for row in rows}
    return [weigh(contacts[pair["one"]], contacts[pair["other"]], pair["likeness"]) for pair in pairs]
